"""The starts of a form's grid from which to search, and the bounds of the search.

Shapes: K problems; S starts; P parameters.
"""

import numpy as np

from analysis.arrays import Floats
from analysis.laws.forms import Form
from analysis.laws.solver import Problems

KEEP = 5  # starts of the grid from which to search


def pick_starts(
    form: Form, problems: Problems, ceilings_K: Floats, low_P: Floats, high_P: Floats
) -> Floats:
    """Return the best starts of the form's grid for each problem, as logarithms (K, 2 KEEP, P).

    Where the equation is a sum of errors, each start first moves up or down to its best level.
    """
    levels = (
        [] if form.has_ceiling else [p for p, each in enumerate(form.parameters) if each.is_level]
    )
    picked = []
    for k in range(len(problems)):
        one = problems.take(np.array([k]))
        with np.errstate(divide="ignore", invalid="ignore"):
            phi = np.clip(np.log(form.grid(float(ceilings_K[k]))), low_P, high_P)
            r = np.log(form.terms(one.z, np.exp(phi))[0]) - one.target
        weight = one.weight**2 * one.count
        level = (r * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        if levels:
            phi[:, levels] = np.clip(phi[:, levels] - level, low_P[levels], high_P[levels])
            r = r - level
        cost = (weight * r**2).sum(axis=1)
        order = np.argsort(np.where(np.isfinite(cost), cost, np.inf), kind="stable")
        spread = np.unique(np.geomspace(1, len(order), KEEP).astype(int)) - 1
        chosen = np.concatenate([order[:KEEP], order[spread]])  # the best, and some others
        picked.append(phi[np.resize(chosen, 2 * KEEP)])
    return np.stack(picked)


def make_bounds(form: Form) -> tuple[Floats, Floats]:
    """Return bounds of the log parameters, for scaled sizes and errors."""
    low, high = (np.log([getattr(p, side) for p in form.parameters]) for side in ("low", "high"))
    return low, high
