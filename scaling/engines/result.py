"""What an engine returns: metrics by epoch, the final predictions, or why there are none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling.study import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Mean loss and misses over `n` images."""

    loss: float
    misses: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One model after one epoch; times are cumulative seconds of this model's training."""

    epoch: int
    examples_seen: int
    train: Score
    val: Score | None
    test: Score
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished model: its evaluations in order, its predictions for the test set (n_test,)."""

    member: Member
    engine: str
    device: str
    history: tuple[Evaluation, ...]
    predicted: NDArray[np.uint8]
    correct: NDArray[np.bool_]
    weights: dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericFailure:
    """A model whose loss or weights stopped being numbers: final, as it would happen again."""

    member: Member
    error: str
