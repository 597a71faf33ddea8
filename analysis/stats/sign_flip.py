"""Two trainings of the same models, paired by seed: do their test misses differ?

A model keeps its seed, so the images, first weights and draws are equal in both; what is left of
two engines is rounding, which grows into other misses. The test images are the same too, hence
only seeds are a source of noise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

ALPHA = 0.01
LEVEL = 1 - ALPHA
MARGIN = (
    0.10  # as in effects/decision_rules.py: a change that matters; a wider interval shows nothing
)
LEAST = 20  # pairs, below which nothing is decided
SEED_SHARE = 0.10  # assumed: noise of a seed beside the binomial one, as a share of the misses
FLIPS = 9_999
BLOCKS = 10  # of as many flips each, where the first block rejects: p reaches 1e-5 for Holm

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "not verifiable at this precision"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The relative change of the misses, its interval, and the two-sided p-value of none."""

    n: int
    change: float
    low: float
    high: float
    p: float

    def verdict(self, p: float) -> str:
        """Return the verdict, by a p-value that is corrected for the number of tests.

        A change that is significant only before the correction is no failure; whether it holds
        depends on the interval alone, which is not corrected.
        """
        if self.n < LEAST:
            return UNDECIDED
        if p < ALPHA:
            return FAILS
        return HOLDS if max(-self.low, self.high) <= MARGIN else UNDECIDED


def paired(stored: ArrayLike, again: ArrayLike, cells: Sequence[str]) -> Paired:
    """Test pairs of misses, of one cell or of several, for a change by a common factor.

    Without a change each pair could as well be the other way round, so this is the permutation
    test that flips the signs of the differences; its level holds whatever their variances are.
    Each difference is divided by the noise expected of its cell, so that no cell outweighs the
    others. Misses are whole numbers, so a standard error below that of half a miss in all is not
    believed.
    """
    before, after = np.asarray(stored, float), np.asarray(again, float)
    names = np.asarray(cells)
    # Of both trainings together, as a flip must change the sign of a difference and nothing else.
    both = (before + after) / 2
    means = np.maximum([both[names == name].mean() for name in names], 0.5)
    noise = np.sqrt(means + np.square(SEED_SHARE * means))
    differences, units = (after - before) / noise, means / noise
    n, change = len(before), float(differences.sum() / units.sum())
    if n < 2:
        return Paired(n=n, change=_of_stored(change), low=-np.inf, high=np.inf, p=1.0)
    p, low, high = _flipped(differences, units, blocks=1)
    if p < ALPHA:
        p, low, high = _flipped(differences, units, blocks=BLOCKS)
    se = 0.5 / float(means.sum())
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * se
    return Paired(
        n=n,
        change=_of_stored(change),
        low=_of_stored(min(low, change - half)),
        high=_of_stored(max(high, change + half)),
        p=max(p, float(2 * stats.norm.sf(abs(change) / se))),
    )


def _flipped(differences: Floats, units: Floats, *, blocks: int) -> tuple[float, float, float]:
    """Return the p-value of no change, and the lowest and highest change that is not rejected.

    The sum of the differences less a change c is A - cB, and A_k - cB_k after the flips k. The k-th
    is at least as large for each c between (A - A_k) / (B - B_k) and (A + A_k) / (B + B_k), so the
    p-value of c is the share of flips whose range holds it.
    """
    total, unit = float(differences.sum()), float(units.sum())
    parts = list(_sums(np.stack([differences, units], axis=1), blocks))
    flipped, flipped_units = np.concatenate(parts).T
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack(
            [
                (total - flipped) / (unit - flipped_units),
                (total + flipped) / (unit + flipped_units),
            ]
        )
    # All signs alike: as large for every change.
    same = np.abs(flipped_units) > unit * (1 - 1e-9)
    lows, highs = np.where(same, -np.inf, ends.min(0)), np.where(same, np.inf, ends.max(0))
    slack = 1e-9 * (1 + abs(total) / unit)  # sums in another order
    count = len(flipped) + 1
    p = (1 + int(np.count_nonzero((lows <= slack) & (highs >= -slack)))) / count
    allowed = int(np.ceil(ALPHA * count - 1e-9)) - 1  # flips that must hold a change besides none
    low = np.partition(lows, allowed - 1)[allowed - 1]
    high = np.partition(highs, -allowed)[-allowed]
    return p, float(low), float(high)


def _sums(columns: Floats, blocks: int) -> Iterator[Floats]:
    """Sums of columns whose rows have random signs, the same ones each time."""
    for block in range(blocks):
        yield _signs(len(columns), block) @ columns


@lru_cache(maxsize=1)
def _signs(n: int, block: int) -> Floats:
    return 2.0 * np.random.default_rng(block).integers(0, 2, (FLIPS, n), np.int8) - 1.0


def _of_stored(change: float) -> float:
    """A change relative to the mean of before and after, as one relative to what is stored."""
    change = max(change, -2.0)  # there are no fewer misses than none
    return change / (1 - change / 2) if change < 2 else np.inf
