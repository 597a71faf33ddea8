"""A case of the check and its outcome; the data that all cases share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scaling import engines
from scaling.data.selection import Dataset, DatasetInfo, Examples
from scaling.engines import NumericFailure, Trained
from scaling.study import Cell, Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a case: a line of text, figures, and the problem, if any."""

    text: str
    figures: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    compared: bool = True  # False: the other side is missing, and the case counts as not run


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison or measurement; an error that `run` raises fails this case alone."""

    name: str
    run: Callable[[], Outcome]


def noise() -> Dataset:
    """Return random images and labels: an engine's arithmetic does not depend on the images."""
    rng = np.random.default_rng(1)
    info = DatasetInfo(name="noise", version="1", n_train=500, n_test=200, n_val=100)
    return Dataset(
        info=info,
        x_train=rng.uniform(-1, 1, (500, 16, 16)).astype(np.float32),
        y_train=rng.integers(0, 10, 500).astype(np.uint8),
        x_test=rng.uniform(-1, 1, (200, 16, 16)).astype(np.float32),
        y_test=rng.integers(0, 10, 200).astype(np.uint8),
    )


def noise_examples(n: int) -> Examples:
    """Return `n` random images for timing."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, 16, 16)).astype(np.float32)
    return Examples(x=x, y=rng.integers(0, 10, n).astype(np.uint8))


def train_all(
    cell: Cell,
    members: Sequence[Member],
    data: Dataset,
    engine: str,
    device: str = "cpu",
    **more: Any,
) -> list[Trained]:
    """Return the models of an engine. Raises ArithmeticError if one of them is not finite."""
    results = []
    found = engines.train(
        cell, members, data, engine=engine, device=device, epochs_evaluated=[1], **more
    )
    for result in found:
        if isinstance(result, NumericFailure):
            raise ArithmeticError(f"{engine} engine, seed {result.member.seed}: {result.error}")
        results.append(result)
    return results
