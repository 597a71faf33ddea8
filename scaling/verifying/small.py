"""An engine compared with the reference, weight by weight, on a small version of a cell.

Over a whole training two engines diverge, as one rounding error moves every weight. After two
epochs of a few images they agree as closely as two float32 sums of the same numbers.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaling import engines
from scaling.data import datasets
from scaling.engines import Trained
from scaling.study import Cell, Member

EPOCHS = 2
STEPS = 18  # per epoch
MOST_IMAGES = 54
N_TEST = 100
WITHIN = 1e-5
BEYOND = 0.01  # of the weights; measured: at most 0.0012 for any named recipe and engine
WORST = 1e-4  # AdamW divides rounding errors by each other (tests/engines/test_population.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """The distance of an engine's weights from the reference's."""

    worst: float
    weight: str  # the array with the largest distance
    beyond: float  # the share of weights further than WITHIN
    error: str = ""  # if one of them did not train

    @property
    def holds(self) -> bool:
        return not self.error and self.worst <= WORST and self.beyond <= BEYOND


def compare_small(cell: Cell, member: Member, source: str, engine: str) -> Nearness:
    """Train a small version of a cell by an engine and the reference; return their distance.

    Training begins with random weights, even where the cell begins with pretrained ones.
    """
    batch = cell.recipe.batch_size
    small = replace(
        cell,
        recipe=replace(cell.recipe, epochs=EPOCHS),
        n_train=min(cell.n_train, MOST_IMAGES, STEPS * min(batch, 3)),
        n_test=min(cell.n_test, N_TEST),
        start=None,
    )
    # At the published learning rate, wide networks are chaotic within 300 steps (analysis/LOG.md).
    slower = replace(member, lr=member.lr / max(1.0, cell.width))
    data = datasets.load(source, small.n_train)
    weights = []
    for name in (engine, "reference"):
        (result,) = engines.train(small, [slower], data, engine=name, epochs_evaluated=[])
        if not isinstance(result, Trained):
            return Nearness(worst=0.0, weight="", beyond=0.0, error=f"{name}: {result.error}")
        weights.append(result.weights)
    ours, theirs = weights
    errors = {name: np.abs(_without_key_biases(name, ours[name] - theirs[name])) for name in theirs}
    everything = np.concatenate([error.ravel() for error in errors.values()])
    worst = max(errors, key=lambda name: float(errors[name].max()))
    return Nearness(
        worst=float(everything.max()),
        weight=worst,
        beyond=float((everything > WITHIN).mean()),
    )


def _without_key_biases(name: str, difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an array without a transformer's key biases, which change no loss and only drift."""
    if name.endswith("qkv_bias"):
        return np.delete(difference.reshape(3, -1), 1, axis=0)
    return difference
