"""A recipe: one training method as a frozen value."""

from dataclasses import dataclass
from typing import Literal

Activation = Literal["tanh", "relu"]
Output = Literal["tanh", "linear"]
Loss = Literal["mse", "cross_entropy"]
Optimizer = Literal["sgd", "adamw"]


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

    def lr_factor(self, epoch: int) -> float:
        """What multiplies the learning rate in an epoch (counted from 0): linear to `lr_end`."""
        progress = epoch / (self.epochs - 1) if self.epochs > 1 else 0.0
        return (1 - progress) + progress * self.lr_end
