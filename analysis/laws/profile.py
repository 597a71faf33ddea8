"""Profile likelihood: the range of a parameter for which the others can compensate.

It is sharper than a bootstrap of few and skewed quantiles; and it distinguishes a floor that the
data only bound from above from one that they determine.
Shapes: N points; P parameters; G values of the parameter that is profiled.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.arrays import Floats
from analysis.laws.batched_fit import Points, choose_ceiling, fit_many, pack
from analysis.laws.forms import Form, find_form
from analysis.laws.initial_guesses import make_bounds
from analysis.laws.noise import find_noise
from analysis.laws.solver import search
from analysis.laws.validation import check_ceiling, check_curve, check_level, curve_numbers
from scaling.errors import InputError

GRID = 25  # values of the parameter on each side
UNSCALED = 60.0  # log units by which to widen the bounds of scaled parameters for raw units
WIDEST = 8.0  # log units that are searched on each side: a factor of 3,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The likelihood interval of one parameter; None is unbounded on that side.

    `upper_bound` is set where the data do not distinguish the parameter from 0. `trace` holds
    values of the parameter with the excess cost of the best fit there: 0 at the best value, 1 at
    an end of the interval.
    """

    parameter: str
    value: float
    low: float | None
    high: float | None
    level: float
    upper_bound: bool
    trace: tuple[tuple[float, float], ...] = field(default=(), repr=False)


def profile(
    x: ArrayLike,
    y: ArrayLike,
    se: ArrayLike | None = None,
    *,
    parameter: str,
    form: str = "power_law_floor",
    replicates: ArrayLike | None = None,
    ceiling: float | None = None,
    level: float = 0.9,
) -> Profile:
    """Return the interval of a parameter from the Gaussian likelihood of log errors.

    `se` gives the noise, or `replicates` (R, N) with its covariance. Without either it is that of
    the residuals, and the F distribution replaces chi squared.
    Raises InputError for a parameter that the form lacks, or that is given and not fitted.
    """
    chosen = find_form(form)
    free = [name for name in chosen.names if name != "C"]
    if parameter not in free:
        raise InputError(f"{form} has no parameter '{parameter}' to fit: it has {', '.join(free)}")
    x_VN, y_N, se_N = curve_numbers(x, y, se)
    check_level(level)
    check_curve(chosen, x_VN, y_N, se_N)
    check_ceiling(chosen, ceiling, y_N)
    noise = find_noise(y_N, se_N, replicates)
    weight, whiten = (np.ones_like(y_N), None) if noise is None else (noise.weight, noise.whiten)
    points = Points(x=x_VN, y=y_N, weight=weight)
    top = choose_ceiling(y_N, ceiling)
    best = fit_many(chosen, [points], [top], whiten=whiten)
    spare = 0 if chosen.last_only else len(y_N) - chosen.n_free
    least = float(best.cost[0])
    if noise is not None and noise.sd is not None:
        allowed = float(stats.chi2.ppf(level, 1)) * float(np.median(noise.sd)) ** 2
    elif spare > 0 and least > 0:
        allowed = float(stats.f.ppf(level, 1, spare)) * least / spare
    else:
        raise InputError("a profile needs standard errors, replicates or a point to spare")
    at = chosen.names.index(parameter)
    sides, traces = zip(
        *(
            _crossing(chosen, points, whiten, best.theta[0], at, sign, least + allowed)
            for sign in (-1, 1)
        ),
        strict=True,
    )
    value = float(best.theta[0, at])
    passed = {value: least} | dict(traces[0]) | dict(traces[1])
    positive = chosen.parameters[at].is_level
    low = 0.0 if sides[0] is None and positive else sides[0]
    return Profile(
        parameter=parameter,
        value=value,
        low=low,
        high=sides[1],
        level=level,
        upper_bound=low == 0.0,
        trace=tuple((v, max(cost - least, 0.0) / allowed) for v, cost in sorted(passed.items())),
    )


def _crossing(
    form: Form,
    points: Points,
    whiten: Floats | None,
    theta_P: Floats,
    at: int,
    sign: int,
    limit: float,
) -> tuple[float | None, list[tuple[float, float]]]:
    """Return where the cost of the best fit with this parameter held crosses the limit.

    The search goes to one side, in the units of the equation, warm from one value to the next; a
    floor of 0 starts from a thousandth of the smallest error. The values on the way follow, with
    their costs.
    """
    scaled = pack(form, [points])
    problems = replace(
        scaled.problems,
        z=tuple(np.log(row)[None] for row in points.x),
        target=np.log(points.y)[None],
        whiten=whiten,
    )
    low, high = (
        bound + np.array([-UNSCALED, UNSCALED])[side]
        for side, bound in enumerate(make_bounds(form))
    )
    smallest = {"size": float(points.x.min())}
    tiny_P = [1e-3 * smallest.get(each.unit, float(points.y.min())) for each in form.parameters]
    start = np.log(np.where(theta_P > 0, theta_P, tiny_P))
    held = (*form.held, at)
    previous, cost_before, here = start, None, start[at]
    passed: list[tuple[float, float]] = []
    for step in np.geomspace(1e-3, WIDEST, GRID):
        value = start[at] + sign * step
        trial = previous.copy()
        trial[at] = value
        found = search(form, problems, trial[None, None], low, high, held=held)
        cost = float(found.cost[0])
        passed.append((float(np.exp(value)), cost))
        if cost > limit:
            share = 1.0 if cost_before is None else (limit - cost_before) / (cost - cost_before)
            return float(np.exp(here + np.clip(share, 0, 1) * (value - here))), passed
        previous, cost_before, here = found.phi[0], cost, value
    return None, passed
