"""The result of an engine: metrics by epoch and final predictions, or a failure."""

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
    """The scores of one model after an epoch; times are cumulative seconds of its training."""

    epoch: int
    examples_seen: int
    train: Score
    val: Score | None
    test: Score
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished model: its evaluations in order and its predictions of the test set (n_test,)."""

    member: Member
    engine: str
    device: str
    history: tuple[Evaluation, ...]
    predicted: NDArray[np.uint8]
    correct: NDArray[np.bool_]
    weights: dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericFailure:
    """A model with a NaN or infinite loss or weight; final, as training again would fail again."""

    member: Member
    error: str
