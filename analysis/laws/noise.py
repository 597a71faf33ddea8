"""The noise of a curve, from which its replicates are drawn.

Shapes: N points; R replicates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from analysis.laws.validation import numbers
from analysis.stats.resampling import draw_counts
from scaling.errors import InputError

REPLICATES = 1000
FEWEST = 400  # replicates of a curve or surface of many points
BUDGET = 40_000  # points in all replicates together, down to FEWEST of them
SUREST = 1e6  # the largest weight, in median ones: more moves a fit by 1e-12 at most
SHRINK = 0.1  # assumed: of a covariance towards its diagonal, as few seeds leave it singular


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicates:
    """Log errors of replicates (R, N), and the count of each point, (R, N) or (1, N)."""

    log_y: Floats
    count: Floats

    def __len__(self) -> int:
        return len(self.log_y)

    @property
    def large(self) -> bool:
        """Return whether they are so many that each has one start only."""
        return bool(self.log_y.shape[1] > BUDGET / REPLICATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of the log errors: weights of the fit, and a way to draw replicates."""

    kind: str
    weight: Floats  # (N,), about 1 / sd
    sd: Floats | None = None  # (N,) of the log errors, to draw around the fitted curve
    given: Floats | None = None  # log errors (R, N) drawn elsewhere
    whiten: Floats | None = None  # (N, N): makes weighted residuals independent

    def draw(self, log_y: Floats, log_fit: Floats, rng: np.random.Generator) -> Replicates:
        """Return replicates of the curve; none where its noise is unknown."""
        ones = np.ones((1, len(log_y)))
        if self.given is not None:
            return Replicates(log_y=self.given, count=ones)
        n_R = int(np.clip(BUDGET // len(log_y), FEWEST, REPLICATES))
        if self.kind == "cases":
            n_N = len(log_y)
            count = draw_counts(rng, n_N, n_R).astype(float)
            return Replicates(log_y=np.repeat(log_y[None], n_R, axis=0), count=count)
        if self.sd is None:
            return Replicates(log_y=np.empty((0, len(log_y))), count=ones)
        return Replicates(
            log_y=log_fit + rng.standard_normal((n_R, len(log_y))) * self.sd, count=ones
        )


def find_noise(y_N: Floats, se_N: Floats | None, replicates: ArrayLike | None) -> Noise | None:
    """Return the noise that the caller knows; None if unknown.

    Raises InputError for invalid replicates.
    """
    if replicates is None:
        return None if se_N is None else known_noise(y_N, se_N)
    y_RN = numbers("fit: replicates", replicates)
    if y_RN.ndim != 2 or y_RN.shape[1] != len(y_N) or len(y_RN) < 2:
        raise InputError(f"fit: replicates of shape {y_RN.shape}, expected (R, {len(y_N)})")
    if not (np.isfinite(y_RN).all() and (y_RN > 0).all() and np.ptp(y_RN, axis=0).all()):
        raise InputError("fit: replicates must be positive and finite, and differ at each size")
    return replicate_noise(y_RN)


def known_noise(y_N: Floats, se_N: Floats) -> Noise:
    """Return independent log-normal noise of known size."""
    sd = se_N / y_N
    return Noise(kind="standard errors", weight=_weights(sd), sd=sd)


def replicate_noise(y_RN: Floats) -> Noise:
    """Return the noise of replicates, such as the crossed bootstrap's, with its covariance."""
    log_y = np.log(y_RN)
    sd = np.maximum(log_y.std(axis=0, ddof=1), 1e-12)
    correlation = np.atleast_2d(np.corrcoef(log_y, rowvar=False)) if len(sd) > 1 else np.eye(1)
    shrunk = (1 - SHRINK) * np.nan_to_num(correlation) + SHRINK * np.eye(len(sd))
    np.fill_diagonal(shrunk, 1.0)
    whiten = np.linalg.inv(np.linalg.cholesky(shrunk))
    return Noise(kind="replicates", weight=_weights(sd), sd=sd, given=log_y, whiten=whiten)


def _weights(sd: Floats) -> Floats:
    """Return weights in units of the median, so that the delta of a robust loss is a log error."""
    median = np.median(sd)
    weights: Floats = median / np.maximum(sd, median / SUREST)
    return weights


def case_noise(y_N: Floats, _log_fit: Floats, _n_free: int) -> Noise:
    """Return the noise of points drawn with replacement: for many points of unknown noise."""
    return Noise(kind="cases", weight=np.ones_like(y_N))


def residual_noise(y_N: Floats, log_fit: Floats, n_free: int) -> Noise:
    """Return normal noise of the residuals' size; unknown with no point to spare."""
    free = len(y_N) - n_free
    if free < 1:
        return Noise(kind="unknown", weight=np.ones_like(y_N))
    sd = np.sqrt(np.sum((np.log(y_N) - log_fit) ** 2) / free)
    return Noise(kind="residuals", weight=np.ones_like(y_N), sd=np.full_like(y_N, sd))
