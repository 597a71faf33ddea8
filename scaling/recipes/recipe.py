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
    """Everything about training that is not data, size or seed.

    A field added later must have a default that means "as before": fields at their default are
    left out of the identity, so that stored results keep their names.
    """

    name: str
    epochs: int
    lr: float  # learning rate of the first epoch, unless a member brings its own
    activation: Activation = "tanh"
    output: Output = "tanh"
    loss: Loss = "mse"
    optimizer: Optimizer = "sgd"
    weight_decay: float = 0.0  # decoupled (AdamW), unless a member brings its own
    lr_end: float = 1.0  # the last epoch's learning rate as a fraction of the first's
    output_bias: float = 0.0
    batch_size: int = 1
    shift: int = 0  # pixels; images move by at most this in x and y, around the edges
    dropout: float = 0.0  # rate, before H3
    tricks: tuple[tuple[str, int], ...] = ()  # (name, version) in the order of application
    momentum: float = 0.0  # of SGD
    schedule: Schedule = "linear"  # from `lr` to its fraction `lr_end`, by epoch
    label_smoothing: float = 0.0  # part of the target spread over all classes, in training only
    ema: float = 0.0  # evaluated are weights averaged with this decay a step; 0: the last ones
    shift_fill: ShiftFill = "wrap"  # what comes in where a shifted image has left
    norm: Norm = "none"  # of weights, or of what the hidden layers sum up
    residual: bool = False  # H2 adds to its sums what the same planes of H1 say there
    init: Init = "sqrt_fan_in"  # weights are uniform within 2.4 over this
    connections: Connections = "pairs"  # which planes of H1 a plane of H2 sees
    warmup: int = 0  # epochs in which the learning rate rises to its schedule
    mixup: float = 0.0  # alpha of the beta distribution of the shares; 0: images are not mixed
    elastic: float = 0.0  # root mean square of the pixels' displacement, in pixels
    trainable: Trainable = "all"  # which layers learn

    def lr_factor(self, epoch: int) -> float:
        """What multiplies the learning rate in an epoch (counted from 0): from 1 to `lr_end`."""
        return self._scheduled(epoch) * min(1.0, (epoch + 1) / (self.warmup + 1))

    def _scheduled(self, epoch: int) -> float:
        if self.schedule == "constant":
            return 1.0
        progress = epoch / (self.epochs - 1) if self.epochs > 1 else 0.0
        if self.schedule == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return (1 - progress) + progress * self.lr_end
