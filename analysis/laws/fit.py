"""Fit a form to a curve or a surface, with intervals from replicates fitted in lock-step.

Shapes: N points; R replicates of them; P parameters; V variables.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from analysis.laws.batched_fit import QUICK, Points, choose_ceiling, fit_many, pack, unscale
from analysis.laws.fit_result import Fit, Prediction, Status
from analysis.laws.forms import Form, find_form
from analysis.laws.initial_guesses import make_bounds, pick_starts
from analysis.laws.noise import Noise, case_noise, find_noise, residual_noise
from analysis.laws.solver import Objective, check_objective, search
from analysis.laws.validation import check_ceiling, check_curve, check_level, curve_numbers

__all__ = ["Fit", "Prediction", "Status", "fit"]

DELTA = 1e-3  # of Huber's loss, in log error (Hoffmann et al. 2022)
LAD_REPLICATES = 1e-5  # Huber's delta that stands for 0 in replicates: far below their spread
FACTORS = (("A", "alpha"), ("B", "beta"))  # with the exponent that their units depend on
STARTS = 3  # of each replicate: the curve's own optimum, and the grid's best


def fit(
    x: ArrayLike | Sequence[ArrayLike],
    y: ArrayLike,
    se: ArrayLike | None = None,
    *,
    form: str | None = None,
    objective: str | None = None,
    delta: float = DELTA,
    ceiling: float | None = None,
    level: float = 0.9,
    replicates: ArrayLike | None = None,
    seed: int = 0,
) -> Fit:
    """Fit a form to errors y at sizes x, (N,) each; x may be a pair (x, x2) for a joint form.

    Standard errors `se` or `replicates` of the curve, (R, N), give the noise: then the objective is
    least squares, weighted by it (with replicates: with their full covariance, a Gaussian
    likelihood of the log errors). Otherwise it is Huber's. Intervals come from the replicates, or
    from ones drawn with `se`, or from the points themselves. `ceiling` is the error of guessing,
    for forms with one; 0.9 unless the errors exceed it.
    Raises InputError for values that are not positive, or for fewer points than parameters.
    """
    x_VN, y_N, se_N = curve_numbers(x, y, se)
    check_level(level)
    chosen = find_form(form or ("power_law_floor" if len(x_VN) == 1 else "additive"))
    check_curve(chosen, x_VN, y_N, se_N)
    known = se_N is not None or replicates is not None
    aim = check_objective(objective or ("ls" if known else "huber"), delta)
    check_ceiling(chosen, ceiling, y_N)
    top = choose_ceiling(y_N, ceiling)
    rng = np.random.default_rng(seed)
    noise = find_noise(y_N, se_N, replicates)
    weight_N = np.ones_like(y_N) if noise is None else noise.weight
    points = Points(x=x_VN, y=y_N, weight=weight_N)
    whiten = noise.whiten if noise is not None and aim == "ls" and not chosen.last_only else None
    how: dict[str, Any] = {"objective": aim, "delta": delta, "whiten": whiten}
    found = fit_many(chosen, [points], [top], **how)
    log_fit = np.log(chosen.predict(x_VN, found.theta)[0])
    if noise is None:
        # assumed: so many points represent the population of points
        enough = len(y_N) >= 10 * chosen.n_free and not chosen.last_only
        n_used = len(y_N) if chosen.last_only else chosen.n_free
        noise = (case_noise if enough else residual_noise)(y_N, log_fit, n_used)
    drawn, phi, status = _replicated(chosen, points, found.phi[0], top, noise, rng, how)
    good, phi = drawn[status != "failed"], phi[status != "failed"]
    return Fit(
        form=chosen.name,
        objective=aim,
        status=str(found.status[0]),  # type: ignore[arg-type]
        params=dict(zip(chosen.names, map(float, found.theta[0]), strict=True)),
        intervals=_intervals(chosen, good, phi, level),
        standard_errors=_spread(chosen, good),
        level=level,
        n_points=len(y_N),
        x_range=(float(x_VN[0].min()), float(x_VN[0].max())),
        residual=float(np.sqrt(np.mean((log_fit - np.log(y_N)) ** 2))),
        noise=noise.kind,
        n_replicates=len(drawn),
        n_failed=len(drawn) - len(good),
        replicates=good,
        points=(x_VN[0] if len(x_VN) == 1 else x_VN, y_N),
    )


def _replicated(
    form: Form,
    points: Points,
    phi_P: Floats,
    ceiling: float,
    noise: Noise,
    rng: np.random.Generator,
    how: dict[str, Any],
) -> tuple[Floats, Floats, Any]:
    """Return parameters (R, P) of replicates, in units of the equation and scaled, and statuses.

    Their searches start near the parameters of the curve.
    """
    scaled = pack(form, [points])
    log_fit = np.log(form.terms(scaled.problems.z, np.exp(phi_P[None]))[0][0] * scaled.y0)
    drawn = noise.draw(np.log(points.y), log_fit, rng)
    if not len(drawn):
        none = np.empty((0, len(form.names)))
        return none, none, np.empty(0, "<U9")
    low, high = make_bounds(form)
    problems = scaled.problems.with_targets(
        drawn.log_y - np.log(scaled.y0), drawn.count, how["whiten"]
    )
    near = pick_starts(form, scaled.problems, ceiling / scaled.y0, low, high)[0, : STARTS - 1]
    starts = np.concatenate([phi_P[None], near])[: 1 if drawn.large else STARTS]
    robust: Objective = "ls" if how["objective"] == "ls" else "huber"
    best = search(
        form,
        problems,
        np.repeat(starts[None], len(drawn), axis=0),
        low,
        high,
        objective=robust,
        delta=LAD_REPLICATES if how["objective"] == "lad" else how["delta"],
        held=form.held,
        **QUICK,
    )
    x0, y0 = np.repeat(scaled.x0, len(drawn), axis=1), np.repeat(scaled.y0, len(drawn))
    theta, status = unscale(form, best.phi, best.cost, best.rested, x0, y0)
    return theta, best.phi, status


def _intervals(
    form: Form, drawn_RP: Floats, phi_RP: Floats, level: float
) -> dict[str, tuple[float | None, float | None]]:
    """Return quantiles; an upper end at the bound of the search is unbounded (None).

    So is the factor of an unbounded exponent, on which its units depend.
    """
    if not len(drawn_RP):
        return dict.fromkeys(form.names, (None, None))
    intervals: dict[str, tuple[float | None, float | None]] = {}
    tails = (1 - level) / 2, (1 + level) / 2
    ends = np.exp(np.quantile(phi_RP, tails[1], axis=0))
    free = {
        parameter.name
        for parameter, end in zip(form.parameters, ends, strict=True)
        if parameter.name != "C" and end >= parameter.high * 0.99
    }
    free |= {factor for factor, exponent in FACTORS if exponent in free}
    for column, name in enumerate(form.names):
        low, high = (float(v) for v in np.quantile(drawn_RP[:, column], tails))
        intervals[name] = (low, None if name in free else high)
    return intervals


def _spread(form: Form, drawn_RP: Floats) -> dict[str, float | None]:
    """Return standard deviations over the replicates; None without two of them."""
    if len(drawn_RP) < 2:
        return dict.fromkeys(form.names)
    return dict(zip(form.names, map(float, drawn_RP.std(axis=0, ddof=1)), strict=True))
