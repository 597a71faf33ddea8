"""The tricks: each a function Recipe -> Recipe with its source and version.

A trick changes the method and nothing else; how long and how fast to train is the ladder's matter.
Adding one touches this file (and model.py or the engines where it needs a new part).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scaling.recipe import Recipe

MODERN = "Karpathy 2022, lecun1989-repro/modern.py"
REVISIT = "buzzillio/lecun1989-karpathy2022-revisit, 2025"


@dataclass(frozen=True, slots=True)
class Trick:
    """A named change of recipe; raise `version` when the same name comes to mean something else."""

    name: str
    version: int
    source: str
    change: Callable[[Recipe], Recipe]

    def __call__(self, recipe: Recipe) -> Recipe:
        changed = self.change(recipe)
        return replace(changed, tricks=(*recipe.tricks, (self.name, self.version)))


TRICKS: dict[str, Trick] = {}


def trick(*, version: int, source: str) -> Callable[[Callable[[Recipe], Recipe]], Trick]:
    """Register a function as the trick of its name."""

    def register(change: Callable[[Recipe], Recipe]) -> Trick:
        made = Trick(change.__name__, version, source, change)
        TRICKS[made.name] = made
        return made

    return register


@trick(version=1, source=f"{MODERN}, change 1")
def cross_entropy(recipe: Recipe) -> Recipe:
    """Softmax cross-entropy on linear outputs in place of the squared error of tanh outputs."""
    return replace(recipe, loss="cross_entropy", output="linear", output_bias=0.0)


@trick(version=1, source=f"{MODERN}, change 2; Loshchilov & Hutter 2017 (arXiv 1711.05101)")
def adamw(recipe: Recipe) -> Recipe:
    """AdamW with PyTorch's defaults; the learning rate falls linearly to a third, by epoch."""
    return replace(recipe, optimizer="adamw", weight_decay=0.01, lr_end=1 / 3)


@trick(version=1, source=f"{MODERN}, change 3")
def shift(recipe: Recipe) -> Recipe:
    """Each presentation moves the image by up to a pixel in x and y, around the edges."""
    return replace(recipe, shift=1)


@trick(version=1, source=f"{MODERN}, change 4")
def relu(recipe: Recipe) -> Recipe:
    """ReLU in place of tanh in the hidden layers."""
    return replace(recipe, activation="relu")


@trick(version=1, source=f"{MODERN}, change 4; Hinton et al. 2012 (arXiv 1207.0580)")
def dropout(recipe: Recipe) -> Recipe:
    """A quarter of the inputs of H3, the layer with most parameters, is dropped in training."""
    return replace(recipe, dropout=0.25)


@trick(version=1, source=REVISIT)
def more_dropout(recipe: Recipe) -> Recipe:
    """35 % of the inputs of H3 are dropped in training."""
    return replace(recipe, dropout=0.35)


@trick(version=1, source=REVISIT)
def less_decay(recipe: Recipe) -> Recipe:
    """Half of AdamW's default weight decay."""
    return replace(recipe, weight_decay=0.005)


@trick(version=1, source=f"{REVISIT}; Szegedy et al. 2015 (arXiv 1512.00567)")
def label_smoothing(recipe: Recipe) -> Recipe:
    """2 % of each target is spread over all classes, in training."""
    return replace(recipe, label_smoothing=0.02)


@trick(version=1, source=f"{REVISIT}; Hendrycks & Gimpel 2016 (arXiv 1606.08415)")
def gelu(recipe: Recipe) -> Recipe:
    """GELU in the hidden layers, the exact one."""
    return replace(recipe, activation="gelu")


@trick(version=1, source="Loshchilov & Hutter 2017 (arXiv 1711.05101), with the decay switched off")
def no_decay(recipe: Recipe) -> Recipe:
    """AdamW without weight decay, which is Adam."""
    return replace(recipe, weight_decay=0.0)


@trick(version=1, source="Loshchilov & Hutter 2016 (arXiv 1608.03983), without restarts")
def cosine(recipe: Recipe) -> Recipe:
    """The learning rate falls to zero along half a cosine, by epoch."""
    return replace(recipe, schedule="cosine", lr_end=0.0)


@trick(version=1, source="Polyak & Juditsky 1992; decay 0.999 a step is assumed")
def ema(recipe: Recipe) -> Recipe:
    """Evaluated are weights averaged over about the last 1,000 steps."""
    return replace(recipe, ema=0.999)
