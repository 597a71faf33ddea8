"""Two trainings of the same models, paired by seed: do their test misses differ?

A model keeps its seed, so the images, first weights and draws are equal in both; what is left of
two engines is rounding, which grows into other misses. The test images are the same too, hence
only seeds are a source of noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.99
MARGIN = 0.10  # as analysis/verdicts.py: a change that matters; a wider interval shows nothing
LEAST = 20  # pairs, below which nothing is decided

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "not verifiable at this precision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The relative change of the misses, its interval, and the two-sided p-value of none."""

    n: int
    change: float
    low: float
    high: float
    p: float

    def verdict(self, p: float) -> str:
        """Return the verdict, by a p-value that is corrected for the number of tests."""
        if self.n < LEAST:
            return UNDECIDED
        if p < 1 - LEVEL:
            return FAILS
        return HOLDS if max(-self.low, self.high) <= MARGIN else UNDECIDED


def paired(stored: ArrayLike, again: ArrayLike, cells: Sequence[str]) -> Paired:
    """Test pairs of misses, of one cell or of several, for a change by a common factor.

    The variance of a difference grows as its cell's misses, so this is a regression through the
    origin with those weights; for one cell it is the paired t test. Misses are whole numbers, so a
    standard error below that of half a miss in all is not believed.
    """
    before, after = np.asarray(stored, float), np.asarray(again, float)
    names = np.asarray(cells)
    means = np.array([before[names == name].mean() for name in names])
    weights = np.maximum(means, 0.5)
    n, total = len(before), float(weights.sum())
    change = float((after - before).sum()) / total
    if n < 2:
        return Paired(n=n, change=change, low=-np.inf, high=np.inf, p=1.0)
    scaled = ((after - before) - change * weights) / np.sqrt(weights)
    se = max(float(np.sqrt(np.square(scaled).sum() / (n - 1) / total)), 0.5 / total)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * se
    p = float(2 * stats.t.sf(abs(change) / se, n - 1))
    return Paired(n=n, change=change, low=change - half, high=change + half, p=p)
