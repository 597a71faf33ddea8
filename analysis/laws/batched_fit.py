"""Many curves of different sizes fitted in lock-step, in scaled units and back.

Shapes: K curves of up to N points; P parameters; V variables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Floats
from analysis.laws.forms import CEILING, Form
from analysis.laws.initial_guesses import make_bounds, pick_starts
from analysis.laws.solver import Objective, Problems, search

# measured: predictions keep three digits, in a third of the time
QUICK: dict[str, Any] = {"steps": 60, "tolerance": 1e-6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """One curve to fit: sizes (V, N), errors (N,) and weights of the log residuals."""

    x: Floats
    y: Floats
    weight: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledCurves:
    """Curves with sizes and errors scaled to about 1 by geometric means, padded to equal length."""

    problems: Problems
    x0: Floats  # (V, K)
    y0: Floats  # (K,)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFit:
    """Parameters of the equation for each curve, and the status of the search."""

    theta: Floats  # (K, P)
    phi: Floats  # log parameters at scaled sizes and errors (K, P)
    cost: Floats  # (K,)
    status: NDArray[np.str_]  # (K,)


def pack(form: Form, curves: Sequence[Points]) -> ScaledCurves:
    """Return curves scaled and padded to equal length; padding has no weight."""
    n_N = max(len(curve.y) for curve in curves)
    z = np.zeros((form.variables, len(curves), n_N))
    target, weight = np.zeros((2, len(curves), n_N))
    x0, y0 = np.empty((form.variables, len(curves))), np.empty(len(curves))
    for k, curve in enumerate(curves):
        n = len(curve.y)
        log_x, log_y = np.log(curve.x), np.log(curve.y)
        kept = curve.weight * (curve.x[0] == curve.x[0].max()) if form.last_only else curve.weight
        x0[:, k], y0[k] = log_x.mean(axis=1), log_y.mean()
        z[:, k, :n] = log_x - x0[:, k, None]
        target[k, :n], weight[k, :n] = log_y - y0[k], kept
    problems = Problems(z=tuple(z), target=target, weight=weight, count=np.ones((1, 1)))
    return ScaledCurves(problems=problems, x0=np.exp(x0), y0=np.exp(y0))


def fit_many(
    form: Form,
    curves: Sequence[Points],
    ceilings: Sequence[float],
    *,
    objective: Objective = "ls",
    delta: float = 1e-3,
    whiten: Floats | None = None,
    quick: bool = False,
) -> BatchFit:
    """Fit every curve from the form's grid of starts; `quick` ends the searches a little early."""
    scaled = pack(form, curves)
    low, high = make_bounds(form)
    ceilings_K = np.asarray(ceilings, float) / scaled.y0
    starts = pick_starts(form, scaled.problems, ceilings_K, low, high)
    how: dict[str, Any] = {"objective": objective, "delta": delta, "held": form.held}
    problems = replace(scaled.problems, whiten=whiten)
    best = search(form, problems, starts, low, high, **how, **(QUICK if quick else {}))
    theta, status = unscale(form, best.phi, best.cost, best.rested, scaled.x0, scaled.y0)
    return BatchFit(theta=theta, phi=best.phi, cost=best.cost, status=status)


def unscale(
    form: Form,
    phi: Floats,
    cost: Floats,
    rested: NDArray[np.bool_],
    x0_VK: Floats,
    y0_K: Floats,
) -> tuple[Floats, NDArray[np.str_]]:
    """Return parameters of the equation, and a status for each problem.

    Floors and exponents at their lower bound become exactly 0, which a search in logarithms cannot
    reach.
    """
    low, high = make_bounds(form)
    vanishing = np.array([parameter.may_be_zero for parameter in form.parameters])
    free = ~np.isin(np.arange(len(form.names)), form.held)
    at_low = (phi <= low + 1e-6) & free
    at_bound = (at_low | ((phi >= high - 1e-6) & free)).any(axis=1)
    settled = np.where(at_bound, "at_bound", np.where(rested, "converged", "stopped"))
    status = np.where(np.isfinite(cost), settled, "failed")
    theta = np.exp(phi)
    theta[at_low & vanishing] = 0.0
    return form.rescale(theta, x0_VK, y0_K), status


def choose_ceiling(y: Floats, asked: float | None = None) -> float:
    """Return the ceiling C of a curve: as asked; else guessing among ten classes; else by the data.

    Errors above 0.9 are of more classes: then 1. Values above 1 are a loss and no error, and twice
    the largest one stands for the unknown ceiling (assumed).
    """
    top = float(np.max(y))
    if asked is not None:
        return asked
    return CEILING if top < CEILING else 1.0 if top < 1 else 2 * top
