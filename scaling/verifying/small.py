"""An engine against the reference, weight by weight, on a cell made small.

Trained to the end two engines part, as one rounding moves every weight; after two epochs of a few
images they are as near as two float32 sums of the same numbers.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaling import engines
from scaling.data import datasets
from scaling.engines import Trained
from scaling.study import Cell, Member

EPOCHS = 2
STEPS = 18  # an epoch
MOST_IMAGES = 54
N_TEST = 100
WITHIN = 1e-5
BEYOND = 0.01  # of the weights; measured: at most 0.0012, of any named recipe and engine
WORST = 1e-4  # AdamW divides rounding by rounding (tests/test_population.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """The distance of an engine's weights from the reference's."""

    worst: float
    weight: str  # the array with the worst one
    beyond: float  # the part of all weights that is further than WITHIN
    error: str = ""  # where one of them did not train

    @property
    def holds(self) -> bool:
        return not self.error and self.worst <= WORST and self.beyond <= BEYOND


def near(cell: Cell, member: Member, source: str, engine: str) -> Nearness:
    """Train a small version of a cell by an engine and by the reference, and compare weights.

    A cell that begins with trained weights begins with random ones here.
    """
    batch = cell.recipe.batch_size
    small = replace(
        cell,
        recipe=replace(cell.recipe, epochs=EPOCHS),
        n_train=min(cell.n_train, MOST_IMAGES, STEPS * min(batch, 3)),
        n_test=min(cell.n_test, N_TEST),
        start=None,
    )
    # Wide networks at the published learning rate are chaos within 300 steps (analysis/LOG.md).
    calm = replace(member, lr=member.lr / max(1.0, cell.width))
    data = datasets.load(source, small.n_train)
    weights = []
    for name in (engine, "reference"):
        (result,) = engines.train(small, [calm], data, engine=name, epochs_evaluated=[])
        if not isinstance(result, Trained):
            return Nearness(worst=0.0, weight="", beyond=0.0, error=f"{name}: {result.error}")
        weights.append(result.weights)
    ours, theirs = weights
    errors = {name: np.abs(_learned(name, ours[name] - theirs[name])) for name in theirs}
    everything = np.concatenate([error.ravel() for error in errors.values()])
    worst = max(errors, key=lambda name: float(errors[name].max()))
    return Nearness(
        worst=float(everything.max()),
        weight=worst,
        beyond=float((everything > WITHIN).mean()),
    )


def _learned(name: str, difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the biases of a transformer's keys, which no loss depends on: they learn rounding."""
    if name.endswith("qkv_bias"):
        return np.delete(difference.reshape(3, -1), 1, axis=0)
    return difference
