"""Two trainings of the same models, paired by seed: do their test misses differ?

A model keeps its seed, so the images, first weights and draws are equal in both; two engines then
differ by rounding alone, which grows into other misses. The test images are the same too, hence
only seeds are a source of noise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.arrays import Floats

ALPHA = 0.01
LEVEL = 1 - ALPHA
SEED_SHARE = 0.10  # assumed: noise of a seed beside the binomial one, as a share of the misses
FLIPS = 9_999
BLOCKS = 10  # of as many flips each, where the first block rejects: p reaches 1e-5 for Holm


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlipTest:
    """The relative change of the misses, its interval, and the two-sided p-value of no change."""

    n: int
    change: float
    low: float
    high: float
    p: float


def sign_flip_test(stored: ArrayLike, again: ArrayLike, cells: Sequence[str]) -> SignFlipTest:
    """Test pairs of misses, of one cell or of several, for a change by a common factor.

    Without a change each pair could as well be the other way round, so this is the permutation
    test that flips the signs of the differences; its level holds whatever their variances are.
    Each difference is divided by the noise expected of its cell, so that no cell outweighs the
    others. Misses are whole numbers, so the standard error is at least that of half a miss in all.
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
        return SignFlipTest(n=n, change=_of_stored(change), low=-np.inf, high=np.inf, p=1.0)
    p, low, high = _flipped(differences, units, blocks=1)
    if p < ALPHA:
        p, low, high = _flipped(differences, units, blocks=BLOCKS)
    se = 0.5 / float(means.sum())
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * se
    return SignFlipTest(
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
    allowed = int(np.ceil(ALPHA * count - 1e-9)) - 1  # flips to hold a change, besides none
    low = np.partition(lows, allowed - 1)[allowed - 1]
    high = np.partition(highs, -allowed)[-allowed]
    return p, float(low), float(high)


def _sums(columns: Floats, blocks: int) -> Iterator[Floats]:
    """Yield sums of columns whose rows have random signs, the same ones each time."""
    for block in range(blocks):
        yield _signs(len(columns), block) @ columns


@lru_cache(maxsize=1)
def _signs(n: int, block: int) -> Floats:
    return 2.0 * np.random.default_rng(block).integers(0, 2, (FLIPS, n), np.int8) - 1.0


def _of_stored(change: float) -> float:
    """Return a change of the mean of before and after as one of the stored misses."""
    change = max(change, -2.0)  # there are no fewer misses than none
    return change / (1 - change / 2) if change < 2 else np.inf
