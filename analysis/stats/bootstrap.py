"""What the noise is: of the test set, of the seeds, and how both carry over to a curve.

A test error has two sources of noise. The test images are the same for all models, so more seeds do
not average them away; the seeds draw subset, weights and luck. Both are resampled, crossed: images
with one set of weights for all cells, seeds with one set for all sizes, as subsets are nested.

No miss is not an error of 0: n test images only bound it, at about 3 / n, however many models
were tested on them. `limit_of_none` is that bound, and everything that takes a logarithm or a
ratio of errors keeps to it.

Shapes: S seeds, I test images, C cells, R replicates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.arrays import Floats

Wrong = Mapping[int, NDArray[np.bool_]]  # by seed, (I,): the test images that were missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A cell's mean error over seeds; standard errors of that mean, and its interval."""

    error: float
    n_seeds: int
    se_test: float  # from the test images
    se_seed: float | None  # from the seeds; None with one seed, where it is unknown
    low: float
    high: float


def error_floor(n_test: int) -> float:
    """The least error that a logarithm is taken of: it stands for none."""
    return 0.5 / n_test


def limit_of_none(n_test: int, level: float = 0.9) -> float:
    """The largest error of which `n_test` images may show no miss: about 3 / n_test at 90 %.

    Models share their test images, so that more of them do not lower it.
    Source: Clopper & Pearson 1934, at the upper tail of a two-sided interval.
    """
    return float(-np.expm1(np.log((1 - level) / 2) / n_test))


def is_thin(error: float, n_test: int) -> bool:
    """Whether fewer than one image is missed in the mean: resampling then says too little."""
    return error * n_test < 1 - 1e-9


def ratio_of(above: Summary, below: Summary) -> tuple[float | None, list[float | None]]:
    """The ratio of two errors, and its interval where one of them is thin, by ends of both.

    None is unbounded, or unknown where neither has a miss.
    """
    value = above.error / below.error if below.error else None
    high = above.high / below.low if below.low else None
    return value, [above.low / below.high if above.error or below.error else None, high]


def summarise(wrong: Wrong, level: float = 0.9) -> Summary:
    """Mean error of a cell with an interval on the logarithm.

    Where a model misses nothing, the upper end is at least what so many test images allow; where
    there is less than half a miss in the mean, the lower end is 0.

    The part of the seeds is widened by their t quantile, that of the test images by the normal one,
    and the two are added in squares. Degrees of freedom pooled by Welch and Satterthwaite would be
    narrower; measured, they hold 81 % instead of 90 % with two seeds that differ by 30 %.
    """
    matrix = np.array(list(wrong.values()), float)
    n_S, n_I = matrix.shape
    error = float(matrix.mean())
    least = error_floor(n_I)
    var_test = max(float(matrix.mean(axis=0).var(ddof=1)) / n_I, least**2)
    var_seed = float(matrix.mean(axis=1).var(ddof=1)) / n_S if n_S > 1 else 0.0
    tail = (1 + level) / 2
    widened = stats.norm.ppf(tail) ** 2 * var_test
    if n_S > 1:
        widened += stats.t.ppf(tail, n_S - 1) ** 2 * var_seed
    spread = np.sqrt(widened) / max(error, least)
    high = float(min(max(error, least) * np.exp(spread), 1.0))
    if not matrix.any(axis=1).all():
        high = max(high, limit_of_none(n_I, level))
    return Summary(
        error=error,
        n_seeds=n_S,
        se_test=float(np.sqrt(var_test)),
        se_seed=float(np.sqrt(var_seed)) if n_S > 1 else None,
        low=float(error * np.exp(-spread)) if error >= least else 0.0,
        high=high,
    )


def crossed_bootstrap(
    curves: Sequence[Sequence[Wrong]], replicates: int = 1000, level: float = 0.9, seed: int = 0
) -> list[Floats]:
    """Replicates of the mean errors of curves that share a test set: for each curve (R, cells).

    Images are drawn with replacement, one draw for all cells. Seeds likewise, one draw for all
    cells with those seeds; as S seeds show only (S-1)/S of their variance, and few of them tell
    little about it, their part is widened by sqrt(S/(S-1)) and by the ratio of the t quantile with
    S-1 degrees of freedom to the normal one. (Pooling the sizes for more degrees of freedom held
    the exponent 74 % instead of 90 % of the time with three seeds that differ by 20 %, measured:
    one draw for all sizes knows only S slopes.) With one seed there is no seed part.
    Where fewer than one image is missed in the mean, a replicate is at least as large an error as n
    images without a miss leave open, by one draw for all cells, as they share these images.
    """
    rng = np.random.default_rng(seed)
    n_I = len(next(iter(curves[0][0].values())))
    # whole numbers below 2**24 are exact in float32, which multiplies twice as fast
    images_RI = rng.multinomial(n_I, np.full(n_I, 1 / n_I), size=replicates).astype(np.float32)
    draws: dict[tuple[int, ...], Floats] = {}
    # its upper quantile is limit_of_none; of a generator of its own, so that no other draw moves
    unseen_R = np.random.default_rng([seed, n_I]).beta(1, n_I, replicates)
    result = []
    for curve in curves:
        columns = []
        for wrong in curve:
            seeds = tuple(sorted(wrong))
            n_S = len(seeds)
            if seeds not in draws:
                draws[seeds] = rng.multinomial(n_S, np.full(n_S, 1 / n_S), size=replicates) / n_S
            models_IS = np.array([wrong[s] for s in seeds], np.float32).T
            rates_RS = (images_RI @ models_IS).astype(float) / n_I
            widen = few_seeds(n_S, level)
            weights_RS = 1 / n_S + widen * (draws[seeds] - 1 / n_S)
            drawn_R = (weights_RS * rates_RS).sum(axis=1)
            thin = is_thin(float(models_IS.mean(dtype=float)), n_I)
            columns.append(np.maximum(drawn_R, unseen_R) if thin else drawn_R)
        result.append(np.maximum(np.stack(columns, axis=1), error_floor(n_I)))
    return result


def few_seeds(n_S: int, level: float) -> float:
    """By how much to widen the part of the seeds, as said above."""
    if n_S == 1:
        return 0.0
    tail = (1 + level) / 2
    return float(np.sqrt(n_S / (n_S - 1)) * stats.t.ppf(tail, n_S - 1) / stats.norm.ppf(tail))
