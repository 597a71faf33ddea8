"""Fits of counts: so many misses of so many test images.

The fit is quasi-binomial: the binomial deviance, with a free dispersion that may be below 1 (test
images are not equally hard, so counts may vary less than binomial ones). The beta-binomial beside
it can only widen. Here a count of 0 is a number like any other; the log error has none.
Shapes: N sizes; P parameters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from analysis.arrays import Floats
from analysis.laws.batched_fit import Points, fit_many
from analysis.laws.forms import CEILING, Form, find_form
from scaling.errors import InputError

SMALLEST = 1e-9  # the distance of rates from 0 and 1, which have no logarithm


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFit:
    """A form fitted to counts. Intervals are of log parameters, by the curvature at the optimum.

    `dispersion` is Pearson's chi squared for each point to spare; None with none to spare, and the
    binomial's own 1 is used. `overdispersion` is the beta-binomial's correlation between images,
    `gain` what it adds to the binomial's log likelihood: 0 where counts vary less than binomial.
    """

    form: str
    params: dict[str, float]
    standard_errors: dict[str, float]  # of the log parameters, by the dispersion
    intervals: dict[str, tuple[float, float]]
    level: float
    dispersion: float | None
    overdispersion: float
    gain: float
    n_points: int


def fit_counts(
    x: ArrayLike,
    misses: ArrayLike,
    trials: ArrayLike,
    *,
    form: str = "power_law_floor",
    ceiling: float = CEILING,
    level: float = 0.9,
) -> CountFit:
    """Fit a form of one variable to misses among trials at sizes x, (N,) each.

    Raises InputError for invalid counts, or for fewer sizes than parameters.
    """
    chosen = find_form(form)
    n, k, x_N = np.broadcast_arrays(*(np.asarray(v, float) for v in (trials, misses, x)))
    whole = np.isfinite(k).all() and (k == np.round(k)).all() and (k >= 0).all() and (k <= n).all()
    if x_N.ndim != 1 or not whole or not (n > 0).all() or not (x_N > 0).all():
        raise InputError("fit_counts: expected sizes from 1 and whole misses from 0 to trials")
    if not k.any():
        raise InputError("fit_counts: no miss at any size: there is nothing to fit")
    if len(np.unique(x_N)) < chosen.n_free or chosen.variables > 1 or chosen.last_only:
        raise InputError(
            f"fit_counts: {len(np.unique(x_N))} sizes for the {chosen.n_free} parameters of"
            f" {form}, a form of {chosen.variables} variable(s): give more sizes, or another form"
        )
    rate = (k + 0.5) / (n + 1)
    top = max(ceiling, 1.01 * float(rate.max()))
    points = Points(x=x_N[None], y=rate, weight=np.sqrt(k + 0.5))
    start = fit_many(chosen, [points], [top])
    free = [p for p in range(len(chosen.names)) if p not in chosen.held]
    log_theta = np.log(np.maximum(start.theta[0], SMALLEST))

    def deviance(phi: Floats) -> tuple[float, Floats]:
        p, slope = _rates(chosen, x_N, log_theta, free, phi)
        loss = -(special.xlogy(k, p) + special.xlogy(n - k, 1 - p)).sum()
        return float(loss), -((k / p - (n - k) / (1 - p)) @ slope)

    bounds = [(value - 20, value + 20) for value in log_theta[free]]
    found = optimize.minimize(deviance, log_theta[free], jac=True, method="L-BFGS-B", bounds=bounds)
    p, slope = _rates(chosen, x_N, log_theta, free, found.x)
    variance = n * p * (1 - p)
    spare = len(k) - len(free)
    dispersion = float(((k - n * p) ** 2 / variance).sum() / spare) if spare > 0 else None
    information = (slope * (n / (p * (1 - p)))[:, None]).T @ slope
    # a floor of 0 has no curvature: the pseudo-inverse would give it no uncertainty
    covariance = np.linalg.inv(information + 1e-6 * np.eye(len(free)) * np.trace(information))
    sd = np.sqrt(np.diag(covariance) * (1.0 if dispersion is None else dispersion))
    z = float(stats.t.ppf((1 + level) / 2, spare)) if spare > 0 else float("inf")
    correlation, gain = _beta_binomial(k, n, p)
    names = [chosen.names[i] for i in free]
    return CountFit(
        form=form,
        params=dict(zip(names, map(float, np.exp(found.x)), strict=True)),
        standard_errors=dict(zip(names, map(float, sd), strict=True)),
        intervals={
            name: (float(np.exp(value - z * s)), float(np.exp(value + z * s)))
            for name, value, s in zip(names, found.x, sd, strict=True)
        },
        level=level,
        dispersion=dispersion,
        overdispersion=correlation,
        gain=gain,
        n_points=len(k),
    )


def _rates(
    form: Form, x_N: Floats, log_theta: Floats, free: list[int], phi: Floats
) -> tuple[Floats, Floats]:
    """Return rates (N,) and their derivatives by the free log parameters (N, P)."""
    whole = log_theta.copy()
    whole[free] = phi
    value, by_log = form.terms([np.log(x_N)[None]], np.exp(whole[None]))
    return np.clip(value[0], SMALLEST, 1 - SMALLEST), by_log[0][:, free]


def _beta_binomial(k: Floats, n: Floats, p: Floats) -> tuple[float, float]:
    """Return the most likely correlation between images, and its gain in log likelihood."""

    def likelihood(log_odds: float) -> float:
        correlation = special.expit(log_odds)
        a, b = (rate * (1 - correlation) / correlation for rate in (p, 1 - p))
        return float((special.betaln(k + a, n - k + b) - special.betaln(a, b)).sum())

    binomial = float((special.xlogy(k, p) + special.xlogy(n - k, 1 - p)).sum())
    best = optimize.minimize_scalar(lambda v: -likelihood(v), bounds=(-18, 0), method="bounded")
    gain = -float(best.fun) - binomial
    return (float(special.expit(best.x)), gain) if gain > 0 else (0.0, 0.0)
