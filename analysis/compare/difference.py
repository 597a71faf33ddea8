"""How the errors of two cells differ, by whatever they share: seeds and images, images, nothing.

Shapes: S seeds, I test images.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.effects.paired import Effect, Resampler, Thin, thin_effect
from analysis.results.cell_results import LEVEL, CellResult
from analysis.stats.bootstrap import is_thin

BY_BOTH, BY_IMAGE, BY_NOTHING = "seed and image", "image", "nothing"
Matrix = NDArray[np.float64]


def shared_seeds(a: CellResult, b: CellResult) -> list[int]:
    return sorted(set(a.wrong) & set(b.wrong))


def differ(a: CellResult, b: CellResult, resampler: Resampler) -> tuple[str, Effect]:
    """By what the cells are paired, and the change of the error from `a` to `b`.

    Seeds that both have were trained on the same subset from the same start, so they are paired,
    and other seeds left aside; a single one is no sample of them, unless there is no more.
    """
    same_images = a.test_set_id == b.test_set_id and a.n_test == b.n_test
    seeds = len(shared_seeds(a, b))
    if same_images and (seeds > 1 or (seeds == 1 and a.n_seeds == b.n_seeds == 1)):
        effect = resampler.change(a, b)
        assert effect is not None  # they share seeds and test images
        return BY_BOTH, effect
    return (BY_IMAGE if same_images else BY_NOTHING), apart(a, b, same_images=same_images)


def apart(a: CellResult, b: CellResult, *, same_images: bool, level: float = LEVEL) -> Effect:
    """The change of the error between cells whose seeds are drawn apart.

    Variances add; images that both were tested on are taken image by image, less the luck of single
    models, which is in the part of the seeds already. The t quantile is of the fewer seeds.
    """
    linear_a, linear_b = _linear(a), _linear(b)
    value = float(np.log(_error(b)) - np.log(_error(a)))
    luck = _luck(linear_a) + _luck(linear_b)
    if same_images:
        test = _variance(linear_b.mean(axis=0) - linear_a.mean(axis=0))
    else:
        test = _variance(linear_a.mean(axis=0)) + _variance(linear_b.mean(axis=0))
    se_test = float(np.sqrt(max(test - luck, 0.0)))
    n_seeds = min(len(linear_a), len(linear_b))
    tail = (1 + level) / 2
    se_seed, half = None, stats.norm.ppf(tail) * se_test
    if n_seeds > 1:
        by_seed = _variance(linear_a.mean(axis=1)) + _variance(linear_b.mean(axis=1))
        se_seed = float(np.sqrt(by_seed))
        half = np.hypot(half, stats.t.ppf(tail, n_seeds - 1) * se_seed)
    thin = [
        Thin(coefficient=sign, error=cell.error, n_test=cell.n_test)
        for sign, cell in ((-1.0, a), (1.0, b))
        if is_thin(cell.error, cell.n_test)
    ]
    if thin:
        return thin_effect(thin, value, level, n_seeds, (se_test, se_seed))
    return Effect(
        value=float(np.expm1(value)),
        low=float(np.expm1(value - half)),
        high=float(np.expm1(value + half)),
        level=level,
        n_seeds=n_seeds,
        se_test=se_test,
        se_seed=se_seed,
    )


def p_value(effect: Effect) -> float | None:
    """Two-sided, of "nothing has changed"; None with one seed, whose noise is unknown."""
    below, above = effect.p_below(), effect.p_above()
    return None if below is None or above is None else min(1.0, 2 * min(below, above))


def _error(cell: CellResult) -> float:
    return Thin(coefficient=1.0, error=cell.error, n_test=cell.n_test).used


def _linear(cell: CellResult) -> Matrix:
    """Each model's and image's part in the logarithm of the mean error (S, I)."""
    return np.array([cell.wrong[seed] for seed in sorted(cell.wrong)], float) / _error(cell)


def _variance(values: Matrix) -> float:
    """Of the mean of these values."""
    return float(values.var(ddof=1) / len(values))


def _luck(linear_SI: Matrix) -> float:
    """What the mean over images varies by the luck of single models; unknown, hence 0, for one."""
    n_S, n_I = linear_SI.shape
    if n_S == 1:
        return 0.0
    rest = linear_SI - linear_SI.mean(axis=0) - linear_SI.mean(axis=1)[:, None] + linear_SI.mean()
    return float(np.square(rest).sum() / ((n_S - 1) * (n_I - 1) * n_S * n_I))
