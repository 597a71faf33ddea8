"""What a change of method does to the error, on the same test images and the same seeds.

An effect is a sum of log errors of cells, each with a coefficient: -1 and +1 compare two recipes,
more terms make an average effect or an interaction. Images and seeds are resampled together.

Shapes: S seeds, I test images, R replicates, K cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from analysis.arrays import Floats
from analysis.results.cell_results import LEVEL, CellResult
from analysis.stats.bootstrap import error_floor, few_seeds, is_thin, limit_of_none

REPLICATES = 2000
MOST = (
    1e3  # the largest change of thin cells that has a number; beyond it there is no end (assumed)
)
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A relative change of the error (-0.2: a fifth fewer misses), with its interval.

    `se_test` and `se_seed` are standard errors of its logarithm; with one shared seed the second
    is unknown, and no verdict rests on such an effect. Where cells have no miss at all, `value` is
    -1 or infinite, or NaN where they stand on both sides, and the interval has one end only.
    """

    value: float
    low: float
    high: float
    level: float
    n_seeds: int
    se_test: float
    se_seed: float | None
    tested: float | None = None  # the logarithm that tests start from, where `value` has none

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    def p_below(self, change: float = 0.0) -> float | None:
        """One-sided p-value of "the true change is not below this"; None with one seed.

        The paired test that belongs to the interval: the tail probability at which a bound of
        normal quantile (images) and t quantile (seeds), added in squares, just reaches `change`.
        """
        return self._p(np.log1p(change) - self._log())

    def p_above(self, change: float = 0.0) -> float | None:
        return self._p(self._log() - np.log1p(change))

    def _log(self) -> float:
        return float(np.log1p(self.value)) if self.tested is None else self.tested

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

        least = np.log(1e-12)  # smaller ones say nothing that this does not
        if short_by(least) <= 0:
            return float(np.exp(least))
        return float(np.exp(optimize.brentq(short_by, least, np.log(0.5))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Thin:
    """A cell in which fewer than one image is missed in the mean, with its coefficient.

    It enters with half a miss, or what was missed, and with a standard error of the logarithm by
    which its upper end is the limit that so many test images allow.
    """

    coefficient: float
    error: float
    n_test: int

    @property
    def used(self) -> float:
        return self.error or error_floor(self.n_test)

    def se(self, level: float) -> float:
        wide = np.log(limit_of_none(self.n_test, level) / self.used)
        return float(abs(self.coefficient) * wide / stats.norm.ppf((1 + level) / 2))


def thin_effect(
    thin: Sequence[Thin], log_value: float, level: float, n_seeds: int, parts: tuple[Any, Any]
) -> Effect:
    """The effect of a sum of log errors some of which are thin; `parts` are its standard errors.

    The errors on unseen images are taken to add up, as cells may differ in it.
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
        tested=log_value,
    )


class Resampler:
    """Replicates of effects, with the same draws of images and seeds for all cells.

    Seeds carry what a model misses by its own luck, image by image too, and are widened where they
    are few. Images carry only what all models of a cell have in common: resampling them as they are
    would count the luck again, and in the product of both draws a third time (measured: intervals
    of nominally 90 % held 97 to 99 %; this way 87 to 94 %). Source: the two-way components of
    Owen 2007, The pigeonhole bootstrap (arXiv 0712.1111).
    """

    def __init__(self, replicates: int = REPLICATES, seed: int = 0) -> None:
        self.replicates = replicates
        self.seed = seed
        self._images: dict[int, Matrix] = {}
        self._seeds: dict[tuple[int, ...], Floats] = {}
        self._rates: dict[tuple[str, ...], Floats] = {}  # by run_ids, (R,)

    def effect(
        self, terms: Sequence[tuple[float, CellResult]], level: float = LEVEL
    ) -> Effect | None:
        """The effect of cells with coefficients; None where they share no seed or no test set."""
        cells = [cell for _, cell in terms]
        seeds = tuple(sorted(set.intersection(*(set(cell.wrong) for cell in cells))))
        if not seeds or len({cell.test_set_id for cell in cells}) > 1:
            return None
        n_S, n_I = len(seeds), cells[0].n_test
        value, by_image_R, by_seed_R = 0.0, np.zeros(self.replicates), np.zeros(self.replicates)
        linear_SI = np.zeros((n_S, n_I), np.float32)  # each model's and image's part in the sum
        least, thin = error_floor(n_I), list[Thin]()
        for coefficient, cell in terms:
            wrong_SI = np.array([cell.wrong[seed] for seed in seeds], np.float32)
            mean = float(wrong_SI.mean(dtype=float))
            error = max(mean, least)
            if is_thin(mean, n_I):
                thin.append(Thin(coefficient=coefficient, error=mean, n_test=n_I))
                error = thin[-1].used
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
        return Effect(
            value=float(np.expm1(value)),
            low=float(np.expm1(low)),
            high=float(np.expm1(high)),
            level=level,
            n_seeds=n_S,
            se_test=se_test,
            se_seed=se_seed,
        )

    def change(self, base: CellResult, other: CellResult, level: float = LEVEL) -> Effect | None:
        """By how much `other` changes the error of `base`."""
        return self.effect([(-1.0, base), (1.0, other)], level)

    def _by_image(self, cell: CellResult, seeds: tuple[int, ...]) -> Floats:
        """Mean errors (R,) on resampled images."""
        runs = dict(zip(cell.models["seed"], cell.models["run_id"], strict=True))
        key = tuple(str(runs[seed]) for seed in seeds)
        if key not in self._rates:
            mean_I = np.mean([cell.wrong[seed] for seed in seeds], axis=0, dtype=np.float32)
            self._rates[key] = (self._image_weights(cell.n_test) @ mean_I).astype(float)
        return self._rates[key]

    def _by_seed(self, seeds: tuple[int, ...], rates_S: Matrix, level: float) -> Floats:
        """Mean errors (R,) of resampled seeds, widened where they are few."""
        if seeds not in self._seeds:
            rng = np.random.default_rng([self.seed, *seeds])
            n_S = len(seeds)
            drawn = rng.multinomial(n_S, np.full(n_S, 1 / n_S), size=self.replicates)
            self._seeds[seeds] = drawn / n_S - 1 / n_S
        widened_R = few_seeds(len(seeds), level) * (self._seeds[seeds] @ rates_S)
        replicates: Floats = float(rates_S.mean()) + widened_R
        return replicates

    def _image_weights(self, n_I: int) -> Matrix:
        if n_I not in self._images:
            rng = np.random.default_rng([self.seed, n_I])
            drawn = rng.multinomial(n_I, np.full(n_I, 1 / n_I), size=self.replicates)
            self._images[n_I] = drawn.astype(np.float32) / np.float32(n_I)
        return self._images[n_I]


def _components(linear_SI: Matrix) -> tuple[float, float | None, float]:
    """Standard errors of the mean from images and from seeds, and the images' share.

    The share is the part of the deviations between images that all seeds have in common; with one
    seed it cannot be told from that seed's luck, and is 1.
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
