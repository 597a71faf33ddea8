"""Effects of a method on the error, paired by test image and seed.

An effect is a sum of log errors of cells, each with a coefficient: -1 and +1 compare two recipes,
more terms make an average effect or an interaction. Images and seeds are resampled together.

Shapes: S seeds, I test images, R replicates, K cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from analysis.arrays import Floats
from analysis.results.cell_results import LEVEL, CellResult
from analysis.stats.bootstrap import error_floor, is_thin, seed_widening, zero_miss_limit
from analysis.stats.resampling import CrossedDraws, Matrix, keyed_streams

REPLICATES = 2000
MOST = 1e3  # assumed: the largest change of thin cells that is a number; beyond it, infinity


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A relative change of the error (-0.2: a fifth fewer misses), with its interval.

    `se_test` and `se_seed` are standard errors of its logarithm; with one shared seed the second
    is unknown, and no verdict rests on such an effect. Where cells have no miss, `value` is -1 or
    infinite, or NaN where such cells are on both sides, and the interval has one end only.
    """

    value: float
    low: float
    high: float
    level: float
    n_seeds: int
    se_test: float
    se_seed: float | None
    log_tested: float | None = None  # the logarithm to test, where `value` has none

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    def p_below(self, change: float = 0.0) -> float | None:
        """Return the one-sided p-value of "the true change is not below this"; None with one seed.

        It is the paired test of the interval: the tail probability at which a bound of normal
        quantile (images) and t quantile (seeds), added in squares, just reaches `change`.
        """
        return self._p(np.log1p(change) - self._log())

    def p_above(self, change: float = 0.0) -> float | None:
        """Return the one-sided p-value of "the true change is not above this", as `p_below`."""
        return self._p(self._log() - np.log1p(change))

    def _log(self) -> float:
        return float(np.log1p(self.value)) if self.log_tested is None else self.log_tested

    def _p(self, distance: float) -> float | None:
        if self.se_seed is None:
            return None
        if distance <= 0:
            mirrored = self._p(-distance) if distance else 0.5
            return None if mirrored is None else 1 - mirrored
        parts = (self.se_test, self.se_seed)
        dof = self.n_seeds - 1

        def short_by(log_tail: float) -> float:
            tail = np.exp(log_tail)
            widths = stats.norm.isf(tail) * parts[0], stats.t.isf(tail, dof) * parts[1]
            return float(np.hypot(*widths)) - distance

        least = np.log(1e-12)  # smaller ones decide nothing more
        if short_by(least) <= 0:
            return float(np.exp(least))
        return float(np.exp(optimize.brentq(short_by, least, np.log(0.5))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinCell:
    """A cell whose mean is below one miss, with its coefficient.

    It enters with its misses, or half a miss without any, and with a standard error of the
    logarithm by which its upper end is the limit of its test images.
    """

    coefficient: float
    error: float
    n_test: int

    @property
    def error_used(self) -> float:
        """Return the error that enters the logarithm."""
        return self.error or error_floor(self.n_test)

    def se(self, level: float) -> float:
        """Return the standard error of its part in the sum of log errors."""
        wide = np.log(zero_miss_limit(self.n_test, level) / self.error_used)
        return float(abs(self.coefficient) * wide / stats.norm.ppf((1 + level) / 2))


def thin_effect(
    thin: Sequence[ThinCell], log_value: float, level: float, n_seeds: int, parts: tuple[Any, Any]
) -> Effect:
    """Return the effect of a sum of log errors of which some are thin.

    `parts` are its standard errors, of images and of seeds. The errors of thin cells add up, as
    these may differ on images that no test has shown.
    """
    tail = (1 + level) / 2
    se_test = float(np.hypot(parts[0], sum(one.se(level) for one in thin)))
    half = stats.norm.ppf(tail) * se_test
    if n_seeds > 1:
        half = np.hypot(half, stats.t.ppf(tail, n_seeds - 1) * parts[1])
    none = {np.sign(one.coefficient) for one in thin if not one.error and one.coefficient}
    value, low, high = (float(np.expm1(log_value + part)) for part in (0, -half, half))
    if high > MOST:
        value, high = value if value <= MOST else np.inf, np.inf
    if none:
        value = np.nan if len(none) > 1 else -1.0 if none == {1.0} else np.inf
    return Effect(
        value=value,
        low=-1.0 if 1.0 in none else low,
        high=np.inf if -1.0 in none else high,
        level=level,
        n_seeds=n_seeds,
        se_test=se_test,
        se_seed=parts[1],
        log_tested=log_value,
    )


class Resampler:
    """Replicates of effects, with the same draws of images and seeds for all cells.

    Seeds carry the luck of single models, image by image too, and are widened where they are few.
    Images carry only the misses that all models of a cell share: resampling them as they are would
    count the luck again, and in the product of both draws a third time (measured: intervals of
    nominally 90 % covered 97 to 99 %; this way 87 to 94 %). Source: the two-way components of
    Owen 2007, The pigeonhole bootstrap (arXiv 0712.1111).
    """

    def __init__(self, replicates: int = REPLICATES, seed: int = 0) -> None:
        self.replicates = replicates
        self._draws = CrossedDraws(replicates, keyed_streams(seed))
        self._rates: dict[tuple[str, ...], Floats] = {}  # by run_ids, (R,)

    def effect(
        self, terms: Sequence[tuple[float, CellResult]], level: float = LEVEL
    ) -> Effect | None:
        """Return the effect of cells with coefficients; None without a shared seed and test set."""
        cells = [cell for _, cell in terms]
        seeds = tuple(sorted(set.intersection(*(set(cell.wrong) for cell in cells))))
        if not seeds or len({cell.test_set_id for cell in cells}) > 1:
            return None
        n_S, n_I = len(seeds), cells[0].n_test
        value, by_image_R, by_seed_R = 0.0, np.zeros(self.replicates), np.zeros(self.replicates)
        linear_SI = np.zeros((n_S, n_I), np.float32)  # each model's and image's part in the sum
        least, thin = error_floor(n_I), list[ThinCell]()
        for coefficient, cell in terms:
            wrong_SI = np.array([cell.wrong[seed] for seed in seeds], np.float32)
            mean = float(wrong_SI.mean(dtype=float))
            error = max(mean, least)
            if is_thin(mean, n_I):
                thin.append(ThinCell(coefficient=coefficient, error=mean, n_test=n_I))
                error = thin[-1].error_used
            value += coefficient * np.log(error)
            by_image_R += coefficient * np.log(np.maximum(self._by_image(cell, seeds), least))
            replicates_R = self._by_seed(seeds, wrong_SI.mean(axis=1), level)
            by_seed_R += coefficient * np.log(np.maximum(replicates_R, least))
            linear_SI += np.float32(coefficient / error) * wrong_SI
        se_test, se_seed, shared = _components(linear_SI)
        if thin:
            return thin_effect(thin, value, level, n_S, (se_test, se_seed))
        drawn_R = by_seed_R + shared * (by_image_R - value)
        low, high = np.quantile(drawn_R, [(1 - level) / 2, (1 + level) / 2])
        return Effect(  # where seeds agree, replicates differ from the value by rounding alone
            value=float(np.expm1(value)),
            low=float(np.expm1(min(low, value))),
            high=float(np.expm1(max(high, value))),
            level=level,
            n_seeds=n_S,
            se_test=se_test,
            se_seed=se_seed,
        )

    def change(self, base: CellResult, other: CellResult, level: float = LEVEL) -> Effect | None:
        """Return the change of the error from `base` to `other`."""
        return self.effect([(-1.0, base), (1.0, other)], level)

    def _by_image(self, cell: CellResult, seeds: tuple[int, ...]) -> Floats:
        """Return mean errors (R,) on resampled images."""
        runs = dict(zip(cell.models["seed"], cell.models["run_id"], strict=True))
        key = tuple(str(runs[seed]) for seed in seeds)
        if key not in self._rates:
            mean_I = np.mean([cell.wrong[seed] for seed in seeds], axis=0, dtype=np.float32)
            self._rates[key] = (self._draws.image_weights(cell.n_test) @ mean_I).astype(float)
        return self._rates[key]

    def _by_seed(self, seeds: tuple[int, ...], rates_S: Matrix, level: float) -> Floats:
        """Return mean errors (R,) of resampled seeds, widened where they are few."""
        deviations_R = self._draws.seed_deviations(seeds) @ rates_S
        widened_R = seed_widening(len(seeds), level) * deviations_R
        replicates: Floats = float(rates_S.mean()) + widened_R
        return replicates


def _components(linear_SI: Matrix) -> tuple[float, float | None, float]:
    """Return standard errors of the mean from images and from seeds, and the images' share.

    The share is the part of the deviations between images that all seeds have in common; with one
    seed it is 1, as nothing distinguishes it from the luck of that seed.
    """
    n_S, n_I = linear_SI.shape
    by_image_I = linear_SI.mean(axis=0)
    test = float(by_image_I.var(ddof=1)) / n_I
    if n_S == 1:
        return float(np.sqrt(test)), None, 1.0
    by_seed_S = linear_SI.mean(axis=1)
    luck_SI = linear_SI - by_image_I - by_seed_S[:, None] + by_image_I.mean()
    luck = float(np.square(luck_SI).sum()) / ((n_S - 1) * (n_I - 1)) / (n_S * n_I)
    common = max(test - luck, 0.0)
    seed = float(by_seed_S.var(ddof=1)) / n_S
    share = float(np.sqrt(common / test)) if test else 0.0
    return float(np.sqrt(common)), float(np.sqrt(seed)), share
