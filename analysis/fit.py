"""Fit a form to a curve: least squares on log errors from many starts, all replicates at once.

Shapes: N sizes; R replicates of the curve; S starts; P parameters.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.forms import Floats, Form, find_form
from scaling.errors import InputError

Status = Literal["converged", "at_bound", "failed"]
STEPS = 200  # of the damped least-squares search; measured: 20 to 60 suffice
TOLERANCE = 1e-10  # relative change of the squared residuals at which a search ends
REPLICATES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The fitted error at sizes x, with its interval; all (N,)."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted curve. Intervals are of the replicates' quantiles; None is unbounded."""

    form: str
    status: Status
    params: dict[str, float]
    intervals: dict[str, tuple[float | None, float | None]]
    level: float
    n_points: int
    x_range: tuple[float, float]
    residual: float  # root mean square of the log residuals
    n_replicates: int
    n_failed: int  # replicates without a fit, left out of the intervals
    replicates: Floats = field(repr=False)  # (R, P)
    points: tuple[Floats, Floats] = field(repr=False)

    def predict(self, x: ArrayLike, level: float | None = None) -> Prediction:
        """The fitted curve and its interval at sizes x; honest within `x_range` only."""
        level = self.level if level is None else level
        sizes = np.atleast_1d(np.asarray(x, float))
        form = find_form(self.form)
        centre = form.predict(sizes, np.array([list(self.params.values())]))[0]
        low, high = np.full_like(centre, np.nan), np.full_like(centre, np.nan)
        if len(self.replicates):
            drawn = form.predict(sizes, self.replicates)
            low, high = np.quantile(drawn, _tails(level), axis=0)
        return Prediction(x=sizes, y=centre, low=low, high=high, level=level)

    def plot(self, ax: Any = None) -> Any:
        """Points, curve and band on log-log axes; the matplotlib axes."""
        from analysis.plots import plot_fit

        return plot_fit(self, ax)


def fit(
    x: ArrayLike,
    y: ArrayLike,
    se: ArrayLike | None = None,
    *,
    form: str = "power_law_floor",
    level: float = 0.9,
    replicates: ArrayLike | None = None,
    seed: int = 0,
) -> Fit:
    """Fit a form to errors y at sizes x, (N,) each.

    Intervals come from `replicates` of the curve, (R, N), where there are any; else replicates are
    drawn from the standard errors `se`, or where these are missing from the residuals.
    Raises InputError for values that are not positive, or for fewer points than parameters.
    """
    chosen = find_form(form)
    x_N, y_N, se_N = _checked(chosen, x, y, se)
    rng = np.random.default_rng(seed)
    if replicates is not None:
        y_RN = np.asarray(replicates, float)
        weight_N = 1 / np.maximum(np.log(y_RN).std(axis=0), 1e-12)
    else:
        weight_N = y_N / se_N if se_N is not None else np.ones_like(y_N)
    theta, _, status = _solve(chosen, x_N, y_N[None], weight_N, chosen.starts)
    log_fit = np.log(chosen.predict(x_N, theta)[0])
    if replicates is None:
        y_RN = _parametric(y_N, se_N, log_fit, len(chosen.names), rng)
    some = chosen.starts[:: max(1, len(chosen.starts) // 5)]  # replicates are near the curve
    drawn, _, drawn_status = _solve(chosen, x_N, y_RN, weight_N, some)
    good = drawn[drawn_status != "failed"]
    return Fit(
        form=chosen.name,
        status=status[0],
        params=dict(zip(chosen.names, map(float, theta[0]), strict=True)),
        intervals=_intervals(chosen, good, level),
        level=level,
        n_points=len(x_N),
        x_range=(float(x_N.min()), float(x_N.max())),
        residual=float(np.sqrt(np.mean((log_fit - np.log(y_N)) ** 2))),
        n_replicates=len(y_RN),
        n_failed=len(y_RN) - len(good),
        replicates=good,
        points=(x_N, y_N),
    )


def _checked(
    form: Form, x: ArrayLike, y: ArrayLike, se: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None]:
    try:
        x_N, y_N = np.asarray(x, float), np.asarray(y, float)
        se_N = None if se is None else np.asarray(se, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"fit: sizes and errors must be numbers ({error})") from error
    if x_N.ndim != 1 or x_N.shape != y_N.shape or (se_N is not None and se_N.shape != x_N.shape):
        raise InputError(
            f"fit: x of shape {x_N.shape} and y of {y_N.shape}, expected equal vectors"
        )
    for name, values in (("x", x_N), ("y", y_N), ("se", se_N)):
        if values is not None and not (np.isfinite(values).all() and (values > 0).all()):
            raise InputError(
                f"fit: {name} must be positive and finite, got {values[~(values > 0)]}"
            )
    if len(np.unique(x_N)) < len(form.names):
        raise InputError(
            f"fit: {len(np.unique(x_N))} sizes for the {len(form.names)} parameters of {form.name}:"
            " give more sizes, or a form with fewer parameters"
        )
    return x_N, y_N, se_N


def _parametric(
    y_N: Floats, se_N: Floats | None, log_fit: Floats, n_params: int, rng: np.random.Generator
) -> Floats:
    """Replicates (R, N) around the fitted curve with log-normal noise; (0, N) if it is unknown."""
    free = len(y_N) - n_params
    if se_N is not None:
        sd_N = se_N / y_N
    elif free > 0:
        sd_N = np.full_like(y_N, np.sqrt(np.sum((np.log(y_N) - log_fit) ** 2) / free))
    else:
        return np.empty((0, len(y_N)))
    drawn: Floats = np.exp(log_fit + rng.standard_normal((REPLICATES, len(y_N))) * sd_N)
    return drawn


def _intervals(
    form: Form, drawn_RP: Floats, level: float
) -> dict[str, tuple[float | None, float | None]]:
    """Quantiles; an upper end at the parameter's bound is unbounded (None)."""
    if not len(drawn_RP):
        return dict.fromkeys(form.names, (None, None))
    intervals: dict[str, tuple[float | None, float | None]] = {}
    for column, parameter in enumerate(form.parameters):
        low, high = (float(v) for v in np.quantile(drawn_RP[:, column], _tails(level)))
        intervals[parameter.name] = (low, None if high >= parameter.high * 0.99 else high)
    return intervals


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2


def _solve(
    form: Form, x_N: Floats, y_RN: Floats, weight_N: Floats, starts_SP: Floats
) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """The best parameters (R, P), their weighted squares (R,) and a status (R,) of each replicate.

    Sizes and errors are scaled to about 1 first, and scaled back, so that starts and bounds suit
    any unit.
    """
    n_R, n_S, n_P = len(y_RN), len(starts_SP), len(form.names)
    if not n_R:
        return np.empty((0, n_P)), np.empty(0), np.empty(0, "<U9")
    x0 = float(np.exp(np.log(x_N).mean()))
    y0 = np.exp(np.log(y_RN).mean(axis=1))
    low, high = (np.log([getattr(p, side) for p in form.parameters]) for side in ("low", "high"))
    phi = np.tile(np.log(starts_SP), (n_R, 1))
    target = np.repeat(np.log(y_RN / y0[:, None]), n_S, axis=0)
    phi, cost = _damped_least_squares(form, x_N / x0, target, weight_N, phi, low, high)
    cost = cost.reshape(n_R, n_S)
    best = np.argmin(np.where(np.isfinite(cost), cost, np.inf), axis=1)
    phi = phi.reshape(n_R, n_S, n_P)[np.arange(n_R), best]
    cost = cost[np.arange(n_R), best]
    at_bound = ((phi <= low + 1e-6) | (phi >= high - 1e-6)).any(axis=1)
    status = np.where(np.isfinite(cost), np.where(at_bound, "at_bound", "converged"), "failed")
    theta = np.exp(phi)
    theta[phi <= low + 1e-6] = 0.0  # the search is in logarithms, and there is no other way to 0
    for column, parameter in enumerate(form.parameters):
        if parameter.name in ("A", "E"):  # these are errors, the others pure numbers
            theta[:, column] *= y0
    return form.rescale(theta, x0), cost, status


def _damped_least_squares(
    form: Form,
    x_N: Floats,
    target_KN: Floats,
    weight_N: Floats,
    phi_KP: Floats,
    low_P: Floats,
    high_P: Floats,
) -> tuple[Floats, Floats]:
    """Levenberg-Marquardt for K = R x S independent problems in lock-step, in log parameters.

    Source: Marquardt 1963, with the diagonal scaling of More 1978; bounds by projection.
    """
    eye = np.eye(phi_KP.shape[1])
    damping = np.full(len(phi_KP), 1e-2)

    def residuals(phi: Floats, target: Floats) -> tuple[Floats, Floats]:
        value, by_log = form.terms(x_N, np.exp(phi))
        with np.errstate(divide="ignore", invalid="ignore"):
            r = weight_N * (np.log(value) - target)
            return r, weight_N[:, None] * by_log / value[..., None]

    r, jacobian = residuals(phi_KP, target_KN)
    cost = (r**2).sum(axis=1)
    active = np.isfinite(cost)
    for _ in range(STEPS):
        k = np.flatnonzero(active)
        if not len(k):
            break
        normal = np.einsum("knp,knq->kpq", jacobian[k], jacobian[k])
        scale = np.maximum(np.einsum("kpp->kp", normal), 1e-12)
        gradient = np.einsum("knp,kn->kp", jacobian[k], r[k])
        matrix = normal + (damping[k, None] * scale)[:, :, None] * eye
        step = -np.linalg.solve(matrix, gradient[..., None])[..., 0]
        trial = np.clip(phi_KP[k] + np.clip(step, -2, 2), low_P, high_P)
        r_new, jacobian_new = residuals(trial, target_KN[k])
        cost_new = (r_new**2).sum(axis=1)
        better = cost_new < cost[k]
        gain = np.where(better, cost[k] - cost_new, 0.0)
        done = (better & (gain <= TOLERANCE * cost[k])) | (~better & (damping[k] > 1e8))
        won = k[better]
        phi_KP[won], cost[won] = trial[better], cost_new[better]
        r[won], jacobian[won] = r_new[better], jacobian_new[better]
        damping[k] = np.where(better, np.maximum(damping[k] / 5, 1e-12), damping[k] * 4)
        active[k[done]] = False
    return phi_KP, cost
