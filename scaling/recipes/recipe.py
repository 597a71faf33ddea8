"""A recipe: one training method as a frozen value."""

import math
from dataclasses import dataclass
from typing import Literal

Activation = Literal["tanh", "relu", "scaled_tanh", "twisted_tanh", "gelu"]
Output = Literal["tanh", "linear", "scaled_tanh", "twisted_tanh"]
Loss = Literal["mse", "cross_entropy"]
Optimizer = Literal["sgd", "sdlm", "adamw", "muon"]
Schedule = Literal["linear", "cosine", "constant"]
ShiftFill = Literal["wrap", "background"]
Norm = Literal["none", "weight", "layer", "group", "batch"]
Init = Literal["sqrt_fan_in", "fan_in"]
Connections = Literal["pairs", "cyclic"]
Trainable = Literal["all", "output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All settings of training except data, size and seed.

    A new field needs a default that changes nothing: the identity leaves out fields at their
    default, so that stored results keep their names.
    """

    name: str
    epochs: int
    lr: float  # learning rate of the first epoch; a member may replace it
    activation: Activation = "tanh"
    output: Output = "tanh"
    loss: Loss = "mse"
    optimizer: Optimizer = "sgd"
    weight_decay: float = 0.0  # decoupled (AdamW); a member may replace it
    lr_end: float = 1.0  # the last epoch's learning rate as a fraction of the first's
    output_bias: float = 0.0
    batch_size: int = 1
    shift: int = 0  # pixels; the largest shift of an image in x and in y
    dropout: float = 0.0  # rate, before H3
    tricks: tuple[tuple[str, int], ...] = ()  # (name, version) in the order of application
    momentum: float = 0.0  # of SGD
    schedule: Schedule = "linear"  # from `lr` to its fraction `lr_end`, by epoch
    label_smoothing: float = 0.0  # part of the target spread over all classes, in training only
    ema: float = 0.0  # decay per step of the averaged weights that are evaluated; 0: no average
    shift_fill: ShiftFill = "wrap"  # fills the edge that a shift uncovers
    norm: Norm = "none"  # of weights, or of the hidden layers' pre-activations
    residual: bool = False  # H2 adds the averages of the same planes of H1 to its pre-activations
    init: Init = "sqrt_fan_in"  # weights are uniform within 2.4 divided by this
    connections: Connections = "pairs"  # the planes of H1 that each plane of H2 sees
    warmup: int = 0  # epochs in which the learning rate rises to its schedule
    mixup: float = 0.0  # alpha of the mixing weights' beta distribution; 0: images are not mixed
    elastic: float = 0.0  # root mean square of the pixels' displacement, in pixels
    trainable: Trainable = "all"  # the layers that learn

    def lr_factor(self, epoch: int) -> float:
        """Return the factor of the learning rate in an epoch (from 0), warm-up included."""
        return self._scheduled(epoch) * min(1.0, (epoch + 1) / (self.warmup + 1))

    def _scheduled(self, epoch: int) -> float:
        if self.schedule == "constant":
            return 1.0
        progress = epoch / (self.epochs - 1) if self.epochs > 1 else 0.0
        if self.schedule == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return (1 - progress) + progress * self.lr_end
