"""What a change of method does to the error, on the same test images and the same seeds.

An effect is a sum of log errors of cells, each with a coefficient: -1 and +1 compare two recipes,
more terms make an average effect or an interaction. Images and seeds are resampled together.

Shapes: S seeds, I test images, R replicates, K cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from analysis.cells import LEVEL, Measured
from analysis.forms import Floats
from analysis.uncertainty import few_seeds

REPLICATES = 2000
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A relative change of the error (-0.2: a fifth fewer misses), with its interval.

    `se_test` and `se_seed` are standard errors of its logarithm; with one shared seed the second
    is unknown, and no verdict rests on such an effect.
    """

    value: float
    low: float
    high: float
    level: float
    n_seeds: int
    se_test: float
    se_seed: float | None

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    def p_below(self, change: float = 0.0) -> float | None:
        """One-sided p-value of "the true change is not below this"; None with one seed.

        The paired test that belongs to the interval: the tail probability at which a bound of
        normal quantile (images) and t quantile (seeds), added in squares, just reaches `change`.
        """
        return self._p(np.log1p(change) - np.log1p(self.value))

    def p_above(self, change: float = 0.0) -> float | None:
        return self._p(np.log1p(self.value) - np.log1p(change))

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


class Resampler:
    """Replicates of mean errors, with the same draws of images and seeds for all cells."""

    def __init__(self, replicates: int = REPLICATES, seed: int = 0) -> None:
        self.replicates = replicates
        self.seed = seed
        self._images: dict[int, Matrix] = {}
        self._seeds: dict[tuple[int, ...], Floats] = {}
        self._rates: dict[str, Floats] = {}  # by run_id, (R,)

    def errors(self, cell: Measured, seeds: Sequence[int], level: float = LEVEL) -> Floats:
        """Replicates (R,) of a cell's mean error over these seeds, widened where they are few."""
        n_S = len(seeds)
        rates_RS = self._rates_of(cell, seeds)
        weights_RS = 1 / n_S + few_seeds(n_S, level) * (self._seed_weights(tuple(seeds)) - 1 / n_S)
        replicates: Floats = (weights_RS * rates_RS).sum(axis=1)
        return np.maximum(replicates, 0.5 / cell.n_test)

    def effect(
        self, terms: Sequence[tuple[float, Measured]], level: float = LEVEL
    ) -> Effect | None:
        """The effect of cells with coefficients; None where they share no seed or no test set."""
        cells = [cell for _, cell in terms]
        seeds = sorted(set.intersection(*(set(cell.wrong) for cell in cells)))
        if not seeds or len({cell.test_set_id for cell in cells}) > 1:
            return None
        n_S, n_I = len(seeds), cells[0].n_test
        value, drawn = 0.0, np.zeros(self.replicates)
        linear_SI = np.zeros((n_S, n_I), np.float32)  # each model's and image's part in the sum
        for coefficient, cell in terms:
            wrong_SI = np.array([cell.wrong[seed] for seed in seeds], np.float32)
            error = max(float(wrong_SI.mean()), 0.5 / n_I)
            value += coefficient * np.log(error)
            drawn += coefficient * np.log(self.errors(cell, seeds, level))
            linear_SI += np.float32(coefficient / error) * wrong_SI
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        se_seed = float(linear_SI.mean(axis=1).std(ddof=1)) / np.sqrt(n_S) if n_S > 1 else None
        return Effect(
            value=float(np.expm1(value)),
            low=float(np.expm1(low)),
            high=float(np.expm1(high)),
            level=level,
            n_seeds=n_S,
            se_test=float(linear_SI.mean(axis=0).std(ddof=1)) / np.sqrt(n_I),
            se_seed=se_seed,
        )

    def change(self, base: Measured, other: Measured, level: float = LEVEL) -> Effect | None:
        """By how much `other` changes the error of `base`."""
        return self.effect([(-1.0, base), (1.0, other)], level)

    def _rates_of(self, cell: Measured, seeds: Sequence[int]) -> Floats:
        runs = dict(zip(cell.models["seed"], cell.models["run_id"], strict=True))
        new = [seed for seed in seeds if runs[seed] not in self._rates]
        if new:
            wrong_IS = np.array([cell.wrong[seed] for seed in new], np.float32).T
            rates_RS = (self._image_weights(cell.n_test) @ wrong_IS).astype(float)
            self._rates |= {runs[seed]: rates_RS[:, i] for i, seed in enumerate(new)}
        return np.stack([self._rates[runs[seed]] for seed in seeds], axis=1)

    def _image_weights(self, n_I: int) -> Matrix:
        if n_I not in self._images:
            rng = np.random.default_rng([self.seed, n_I])
            drawn = rng.multinomial(n_I, np.full(n_I, 1 / n_I), size=self.replicates)
            self._images[n_I] = drawn.astype(np.float32) / np.float32(n_I)
        return self._images[n_I]

    def _seed_weights(self, seeds: tuple[int, ...]) -> Floats:
        if seeds not in self._seeds:
            rng = np.random.default_rng([self.seed, *seeds])
            n_S = len(seeds)
            drawn = rng.multinomial(n_S, np.full(n_S, 1 / n_S), size=self.replicates)
            self._seeds[seeds] = drawn / n_S
        return self._seeds[seeds]
