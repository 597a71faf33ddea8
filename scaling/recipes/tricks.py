"""The tricks: each a function Recipe -> Recipe with its source and version.

A trick changes the method and nothing else; how long and how fast to train is the ladder's matter.
Adding one touches this file (and model.py or the engines where it needs a new part).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scaling.recipes.recipe import Recipe

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


@trick(version=1, source="LeCun et al. 1989, section 3.3, as printed: 2.4 / F_i")
def init_fan_in(recipe: Recipe) -> Recipe:
    """Starting weights within 2.4 / fan_in, where 2022 took its square root."""
    return replace(recipe, init="fan_in")


@trick(version=1, source='LeCun et al. 1989, section 3.3; "Efficient BackProp", 1998, section 4.4')
def twisted_tanh(recipe: Recipe) -> Recipe:
    """1.7159 tanh(2x/3) with a small linear term (0.02, assumed) in place of tanh, outputs too."""
    return replace(recipe, activation="twisted_tanh", output="twisted_tanh")


@trick(version=1, source="LeCun et al. 1989, section 3.2, leaves the scheme open; this is ours")
def cyclic_connections(recipe: Recipe) -> Recipe:
    """An H2 plane sees the eight H1 planes that begin at its own number, not two whole groups."""
    return replace(recipe, connections="cyclic")


@trick(version=1, source="LeCun et al. 1989, section 3.3; Becker & LeCun 1988")
def second_order(recipe: Recipe) -> Recipe:
    """Stochastic diagonal Levenberg-Marquardt: a rate for each weight, by its curvature."""
    return replace(recipe, optimizer="sdlm")


@trick(version=1, source="Salimans & Kingma 2016 (arXiv 1602.07868)")
def weight_norm(recipe: Recipe) -> Recipe:
    """Each unit's weights are a direction and a length of its own."""
    return replace(recipe, norm="weight")


@trick(version=1, source="Ba et al. 2016 (arXiv 1607.06450)")
def layer_norm(recipe: Recipe) -> Recipe:
    """What a hidden layer sums up has mean 0 and variance 1 over its units, then a gain."""
    return replace(recipe, norm="layer")


@trick(version=1, source="Wu & He 2018 (arXiv 1803.08494), with the network's own three groups")
def group_norm(recipe: Recipe) -> Recipe:
    """As layer normalization, within each group of planes."""
    return replace(recipe, norm="group")


@trick(version=1, source="Ioffe & Szegedy 2015 (arXiv 1502.03167)")
def batch_norm(recipe: Recipe) -> Recipe:
    """What a plane sums up has mean 0 and variance 1 over the batch, then a gain."""
    return replace(recipe, norm="batch")


@trick(version=1, source="He et al. 2015 (arXiv 1512.03385), their parameter-free shortcut A")
def residual(recipe: Recipe) -> Recipe:
    """H2 adds to its sums the averages of 2x2 units of the same plane of H1."""
    return replace(recipe, residual=True)


@trick(version=1, source="Loshchilov & Hutter 2016 (arXiv 1608.03983); 5 epochs are assumed")
def warmup(recipe: Recipe) -> Recipe:
    """The learning rate rises over the first 5 epochs."""
    return replace(recipe, warmup=5)


@trick(version=1, source="Jordan et al. 2024, kellerjordan.github.io/posts/muon, as in PyTorch")
def muon(recipe: Recipe) -> Recipe:
    """Hidden layers' steps are made orthogonal; the rest keeps AdamW."""
    return replace(recipe, optimizer="muon")


@trick(version=1, source="Zhang et al. 2017 (arXiv 1710.09412); alpha 0.2 as there for images")
def mixup(recipe: Recipe) -> Recipe:
    """Each presentation is a mixture of two training images, and so is its target."""
    return replace(recipe, mixup=0.2)


@trick(version=1, source="Simard et al. 2003, their displacements scaled to 16 pixels")
def elastic(recipe: Recipe) -> Recipe:
    """Each presentation is distorted by smooth displacements of 0.8 pixels (root mean square)."""
    return replace(recipe, elastic=0.8)


@trick(version=1, source="Simard et al. 2003, at half of their displacements")
def mild_elastic(recipe: Recipe) -> Recipe:
    """Each presentation is distorted by smooth displacements of 0.4 pixels (root mean square)."""
    return replace(recipe, elastic=0.4)


@trick(version=1, source="Alain & Bengio 2016 (arXiv 1610.01644)")
def linear_probe(recipe: Recipe) -> Recipe:
    """Only the output layer learns."""
    return replace(recipe, trainable="output")
