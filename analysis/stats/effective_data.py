"""What a trick is worth: how many times more data the baseline would need for the same error.

Both curves are replicated by the same draws of images and seeds (the crossed bootstrap), so that
what they share cancels. Nothing is extrapolated: where the baseline never gets there, the
multiplier is only bounded.
Shapes: R replicates; N sizes; M sizes of the baseline.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from scaling.errors import InputError

REACHED = (
    0.95  # of the replicates must reach the baseline's range at a size to be compared (assumed)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """m(N) = N_baseline(error) / N at one size.

    None is beyond the baseline's sizes: a value or `high` of None says "more than `limit`", a `low`
    of 0 that the baseline is better even at its smallest size.
    """

    n_train: float
    value: float | None
    low: float
    high: float | None
    limit: float  # the baseline's largest size / N: no larger multiplier can be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveData:
    """Multipliers by size, and the slope of log m by log N with its interval, if it can be had."""

    multipliers: tuple[Multiplier, ...]
    slope: float | None
    slope_interval: tuple[float, float] | None
    level: float

    @property
    def verdict(self) -> str:
        """Whether the worth depends on the size, in the report's words."""
        if self.slope_interval is None:
            return "cannot be determined by this study"
        low, high = self.slope_interval
        return "undecided at this precision" if low <= 0 <= high else "supported"


def worth(
    baseline_n: ArrayLike,
    baseline_RM: ArrayLike,
    n: ArrayLike,
    error_RN: ArrayLike,
    level: float = 0.9,
    *,
    least: float = 0.0,
    limit: float = 0.0,
    baseline_none: ArrayLike = False,
    none: ArrayLike = False,
) -> EffectiveData:
    """What a trick is worth at sizes n, from replicates of both curves drawn together.

    `none` and `baseline_none` say at which sizes hardly an image was missed. There the trick's
    error may be as large as `limit` and the baseline's as small as `least`: the multiplier has a
    lower end only.
    Raises InputError for curves that were not drawn together, or a baseline of one size.
    """
    n_M, n_N = np.asarray(baseline_n, float), np.asarray(n, float)
    base, trick = np.asarray(baseline_RM, float), np.asarray(error_RN, float)
    if len(base) != len(trick) or base.shape[1] != len(n_M) or trick.shape[1] != len(n_N):
        raise InputError(
            f"worth: replicates of {base.shape} and {trick.shape} for {len(n_M)} and {len(n_N)}"
            " sizes: expected as many of each, drawn together"
        )
    if len(n_M) < 2 or (np.diff(n_M) <= 0).any():
        raise InputError("worth: the baseline needs two sizes or more, rising")
    # by replicate, the size at which the baseline has the trick's error; 0 and inf are beyond it
    needed = np.array([_invert(n_M, b, t) for b, t in zip(base, trick, strict=True)])
    centre = _invert(n_M, np.median(base, axis=0), np.median(trick, axis=0))
    unseen_N = np.broadcast_to(np.asarray(none, bool), n_N.shape)
    if unseen_N.any():
        low_RM = np.where(np.asarray(baseline_none, bool), least, base)
        at_most = np.full_like(n_N, limit)
        surely = np.array([_invert(n_M, b, at_most) for b in low_RM])
        needed = np.where(unseen_N, surely, needed)
    ratio_RN, tails = needed / n_N, ((1 - level) / 2, (1 + level) / 2)
    ends = np.quantile(ratio_RN, tails, axis=0, method="nearest")
    multipliers = tuple(
        Multiplier(
            n_train=float(n_N[i]),
            value=float(centre[i] / n_N[i]) if np.isfinite(centre[i]) else None,
            low=float(ends[0, i]) if np.isfinite(ends[0, i]) else float(n_M[-1] / n_N[i]),
            high=float(ends[1, i]) if np.isfinite(ends[1, i]) else None,
            limit=float(n_M[-1] / n_N[i]),
        )
        for i in range(len(n_N))
    )
    if unseen_N.any() or np.any(baseline_none):
        multipliers = tuple(map(_bounded, multipliers, unseen_N))
    slope, interval = _slope(n_N, np.where(unseen_N, np.inf, ratio_RN), tails)
    return EffectiveData(multipliers=multipliers, slope=slope, slope_interval=interval, level=level)


def _bounded(found: Multiplier, unseen: bool) -> Multiplier:
    """Return a lower limit where the trick misses nothing; else an interval around its value."""
    if unseen:
        return replace(found, value=None, high=None, limit=found.low)
    if found.value is None:
        return replace(found, high=None)
    high = None if found.high is None else max(found.high, found.value)
    return replace(found, low=min(found.low, found.value), high=high)


def _invert(n_M: Floats, error_M: Floats, wanted_N: Floats) -> Floats:
    """The size at which a curve has these errors, along straight lines in logarithms.

    The curve is first made to fall, as noise may let it rise between two sizes.
    """
    falling = np.log(np.minimum.accumulate(error_M))
    falling -= 1e-12 * np.arange(len(falling))  # np.interp wants no two equal
    target = np.log(wanted_N)
    size = np.exp(np.interp(-target, -falling, np.log(n_M)))
    return np.where(
        target < falling[-1] - 1e-9, np.inf, np.where(target > falling[0] + 1e-9, 0.0, size)
    )


def _slope(
    n_N: Floats, ratio_RN: Floats, tails: tuple[float, float]
) -> tuple[float | None, tuple[float, float] | None]:
    """The slope of log m by log N over the sizes at which nearly every replicate has an m."""
    good = np.isfinite(ratio_RN) & (ratio_RN > 0)
    sizes = good.mean(axis=0) >= REACHED
    rows = good[:, sizes].all(axis=1)
    if sizes.sum() < 2 or not rows.any():
        return None, None
    z = np.log(n_N[sizes])
    z = z - z.mean()
    slopes = np.log(ratio_RN[rows][:, sizes]) @ z / (z @ z)
    low, high = np.quantile(slopes, tails)
    return float(np.median(slopes)), (float(low), float(high))
