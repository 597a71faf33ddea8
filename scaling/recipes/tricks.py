"""The tricks: each a function Recipe -> Recipe with its source and version.

A trick changes the method only; the ladder sets epochs and learning rates. A new trick is a
function in this file; one that needs a new computation also changes scaling/models or the engines.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scaling.recipes.recipe import Recipe

KARPATHY = "Karpathy 2022, lecun1989-repro/modern.py"
REVISIT = "buzzillio/lecun1989-karpathy2022-revisit, 2025"


@dataclass(frozen=True, slots=True)
class Trick:
    """A named change of a recipe; raise `version` when its meaning changes."""

    name: str
    version: int
    source: str
    change: Callable[[Recipe], Recipe]

    def __call__(self, recipe: Recipe) -> Recipe:
        changed = self.change(recipe)
        return replace(changed, tricks=(*recipe.tricks, (self.name, self.version)))


TRICKS: dict[str, Trick] = {}


def trick(*, version: int, source: str) -> Callable[[Callable[[Recipe], Recipe]], Trick]:
    """Return a decorator that registers a function as the trick of its name."""

    def register(change: Callable[[Recipe], Recipe]) -> Trick:
        made = Trick(change.__name__, version, source, change)
        TRICKS[made.name] = made
        return made

    return register


@trick(version=1, source=f"{KARPATHY}, change 1")
def cross_entropy(recipe: Recipe) -> Recipe:
    """Replace the squared error of tanh outputs by softmax cross-entropy of linear ones."""
    return replace(recipe, loss="cross_entropy", output="linear", output_bias=0.0)


@trick(version=1, source=f"{KARPATHY}, change 2; Loshchilov & Hutter 2017 (arXiv 1711.05101)")
def adamw(recipe: Recipe) -> Recipe:
    """Use AdamW with PyTorch's defaults; the learning rate falls linearly to a third, by epoch."""
    return replace(recipe, optimizer="adamw", weight_decay=0.01, lr_end=1 / 3)


@trick(version=1, source=f"{KARPATHY}, change 3")
def shift(recipe: Recipe) -> Recipe:
    """Shift each presented image by up to a pixel in x and y, wrapping around the edges."""
    return replace(recipe, shift=1)


@trick(version=1, source=f"{KARPATHY}, change 4")
def relu(recipe: Recipe) -> Recipe:
    """Replace tanh by ReLU in the hidden layers."""
    return replace(recipe, activation="relu")


@trick(version=1, source=f"{KARPATHY}, change 4; Hinton et al. 2012 (arXiv 1207.0580)")
def dropout(recipe: Recipe) -> Recipe:
    """Drop a quarter of the inputs of H3, the layer with most parameters, in training."""
    return replace(recipe, dropout=0.25)


@trick(version=1, source=REVISIT)
def more_dropout(recipe: Recipe) -> Recipe:
    """Drop 35 % of the inputs of H3 in training."""
    return replace(recipe, dropout=0.35)


@trick(version=1, source=REVISIT)
def less_decay(recipe: Recipe) -> Recipe:
    """Halve AdamW's default weight decay."""
    return replace(recipe, weight_decay=0.005)


@trick(version=1, source=f"{REVISIT}; Szegedy et al. 2015 (arXiv 1512.00567)")
def label_smoothing(recipe: Recipe) -> Recipe:
    """Spread 2 % of each target over all classes, in training."""
    return replace(recipe, label_smoothing=0.02)


@trick(version=1, source=f"{REVISIT}; Hendrycks & Gimpel 2016 (arXiv 1606.08415)")
def gelu(recipe: Recipe) -> Recipe:
    """Use the exact GELU in the hidden layers."""
    return replace(recipe, activation="gelu")


@trick(version=1, source="Loshchilov & Hutter 2017 (arXiv 1711.05101), with the decay switched off")
def no_decay(recipe: Recipe) -> Recipe:
    """Use AdamW without weight decay, which is Adam."""
    return replace(recipe, weight_decay=0.0)


@trick(version=1, source="Loshchilov & Hutter 2016 (arXiv 1608.03983), without restarts")
def cosine(recipe: Recipe) -> Recipe:
    """Let the learning rate fall to zero along half a cosine, by epoch."""
    return replace(recipe, schedule="cosine", lr_end=0.0)


@trick(version=1, source="Polyak & Juditsky 1992; decay 0.999 a step is assumed")
def ema(recipe: Recipe) -> Recipe:
    """Evaluate weights averaged over about the last 1,000 steps."""
    return replace(recipe, ema=0.999)


@trick(version=1, source="LeCun et al. 1989, section 3.3, as printed: 2.4 / F_i")
def init_fan_in(recipe: Recipe) -> Recipe:
    """Draw initial weights within 2.4 / fan_in; the reproduction of 2022 took the square root."""
    return replace(recipe, init="fan_in")


@trick(version=1, source='LeCun et al. 1989, section 3.3; "Efficient BackProp", 1998, section 4.4')
def twisted_tanh(recipe: Recipe) -> Recipe:
    """Replace tanh, in the outputs too, by 1.7159 tanh(2x/3) + 0.02x (0.02 is assumed)."""
    return replace(recipe, activation="twisted_tanh", output="twisted_tanh")


@trick(version=1, source="LeCun et al. 1989, section 3.2, leaves the scheme open; this is ours")
def cyclic_connections(recipe: Recipe) -> Recipe:
    """Connect each H2 plane to the eight H1 planes from its own number on, not to two groups."""
    return replace(recipe, connections="cyclic")


@trick(version=1, source="LeCun et al. 1989, section 3.3; Becker & LeCun 1988")
def second_order(recipe: Recipe) -> Recipe:
    """Use stochastic diagonal Levenberg-Marquardt: each weight's rate depends on its curvature."""
    return replace(recipe, optimizer="sdlm")


@trick(version=1, source="Salimans & Kingma 2016 (arXiv 1602.07868)")
def weight_norm(recipe: Recipe) -> Recipe:
    """Parametrize each unit's weights by a direction and a length."""
    return replace(recipe, norm="weight")


@trick(version=1, source="Ba et al. 2016 (arXiv 1607.06450)")
def layer_norm(recipe: Recipe) -> Recipe:
    """Normalize hidden pre-activations to mean 0, variance 1 over a layer's units; add a gain."""
    return replace(recipe, norm="layer")


@trick(version=1, source="Wu & He 2018 (arXiv 1803.08494), with the network's own three groups")
def group_norm(recipe: Recipe) -> Recipe:
    """Normalize as layer normalization does, within each group of planes."""
    return replace(recipe, norm="group")


@trick(version=1, source="Ioffe & Szegedy 2015 (arXiv 1502.03167)")
def batch_norm(recipe: Recipe) -> Recipe:
    """Normalize each plane's pre-activations to mean 0, variance 1 over the batch; add a gain."""
    return replace(recipe, norm="batch")


@trick(version=1, source="He et al. 2015 (arXiv 1512.03385), their parameter-free shortcut A")
def residual(recipe: Recipe) -> Recipe:
    """Add the averages of 2x2 units of the same plane of H1 to the pre-activations of H2."""
    return replace(recipe, residual=True)


@trick(version=1, source="Loshchilov & Hutter 2016 (arXiv 1608.03983); 5 epochs are assumed")
def warmup(recipe: Recipe) -> Recipe:
    """Raise the learning rate over the first 5 epochs."""
    return replace(recipe, warmup=5)


@trick(version=1, source="Jordan et al. 2024, kellerjordan.github.io/posts/muon, as in PyTorch")
def muon(recipe: Recipe) -> Recipe:
    """Orthogonalize the hidden layers' steps; the rest keeps AdamW."""
    return replace(recipe, optimizer="muon")


@trick(version=1, source="Zhang et al. 2017 (arXiv 1710.09412); alpha 0.2 as there for images")
def mixup(recipe: Recipe) -> Recipe:
    """Present mixtures of two training images, with targets mixed alike."""
    return replace(recipe, mixup=0.2)


@trick(version=1, source="Simard et al. 2003, their displacements scaled to 16 pixels")
def elastic(recipe: Recipe) -> Recipe:
    """Distort each presented image by smooth displacements of 0.8 pixels (root mean square)."""
    return replace(recipe, elastic=0.8)


@trick(version=1, source="Simard et al. 2003, at half of their displacements")
def mild_elastic(recipe: Recipe) -> Recipe:
    """Distort each presented image by smooth displacements of 0.4 pixels (root mean square)."""
    return replace(recipe, elastic=0.4)


@trick(version=1, source="Alain & Bengio 2016 (arXiv 1610.01644)")
def linear_probe(recipe: Recipe) -> Recipe:
    """Train the output layer only."""
    return replace(recipe, trainable="output")
