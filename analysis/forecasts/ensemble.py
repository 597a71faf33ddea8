"""Forecasts by each form, and by their ensemble: the default choice.

No form wins everywhere: the last value does on some data, a form with a break on other. So the
forms vote. Each is first fitted without the last octave of the window and scored on it; its weight
is the inverse of the mean squared log error (stacking in log space). Disagreement of the forms and
their errors in the last octave both widen the interval of a curve, before the calibration from
other curves does.

Shapes: W windows; N sizes of a window; T targets; P parameters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Floats
from analysis.laws.batched_fit import Points, choose_ceiling, fit_many, pack
from analysis.laws.forms import FORMS, Form
from analysis.laws.learning_curve import Window
from analysis.laws.solver import residuals

COMBINED = "combined"
CANDIDATES = ("last_value", "power_law", "power_law_floor", "logistic", "m4", "bnsl1")
HELD_OUT = 2.0  # the inner test: the window's last octave
EQUAL = 0.01  # log error below which forms are equally good: the noise of such curves (assumed)
STRAY = 0.5  # exponent by which a form may leave the median of all before it is cut (assumed)
LOST = 1.0  # log error at which a form has failed, however much worse it is (assumed)
LOWEST = 1e-8  # a prediction, in the window's largest errors (assumed)
LAST = 4  # sizes whose standard errors stand for the targets' (assumed)
PRIOR = 3.0  # assumed: sd of log parameters, so that undetermined ones stay finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Log errors at the targets of one window, by one form."""

    form: str
    mean: Floats  # (T,)
    sd: Floats  # (T,): noise and the uncertainty of the fit; not that the form may be wrong
    rate: float = 0.0  # the curve's own held-out log error for each unit of log ratio
    weights: tuple[tuple[str, float], ...] = ()  # of the forms that were combined


@dataclass(frozen=True, slots=True, kw_only=True)
class _FormScore:
    """One form on one window."""

    mean: Floats
    sd: Floats
    scatter: float  # of the residuals
    held_out: float  # mean squared log error in the last octave; NaN without a test


def forecast_windows(
    windows: Sequence[Window], progress: Callable[[str], None] = lambda _: None
) -> list[dict[str, Forecast]]:
    """Return for each window a forecast by each form with enough sizes, and by the ensemble."""
    judged: list[dict[str, _FormScore]] = [{} for _ in windows]
    for count, name in enumerate(CANDIDATES, 1):
        progress(f"form {count} of {len(CANDIDATES)}: {name}, {len(windows)} windows")
        form = FORMS[name]
        enough = [w for w, window in enumerate(windows) if len(window.x) > form.n_free]
        for w, found in zip(enough, _judge(form, [windows[w] for w in enough]), strict=True):
            judged[w][name] = found
    return [_finish(window, found) for window, found in zip(windows, judged, strict=True)]


def _judge(form: Form, windows: Sequence[Window]) -> list[_FormScore]:
    """Fit a form to each window and, without its last octave, to test it there."""
    if not windows:
        return []
    held_out = np.full(len(windows), np.nan)
    early = [_early(window) for window in windows]
    inner = [w for w, kept in enumerate(early) if max(2, form.n_free) <= kept.sum()]
    shorter = [_points(windows[w], early[w]) for w in inner]
    for w, theta in zip(inner, _thetas(form, [windows[w] for w in inner], shorter), strict=True):
        late = ~early[w]
        predicted = _log(form.predict(windows[w].x[late], theta)[0], windows[w])
        error = predicted - np.log(windows[w].y[late])
        held_out[w] = np.mean(np.minimum(np.nan_to_num(error**2, nan=LOST**2), LOST**2))
    whole = [_points(window) for window in windows]
    scaled = pack(form, whole)
    found = fit_many(form, whole, [choose_ceiling(w.y) for w in windows], quick=True)
    result = []
    for w, window in enumerate(windows):
        one = scaled.problems.take(np.array([w]))
        r, jacobian = residuals(form, one, found.phi[w : w + 1])
        n = len(window.x)
        scatter = float(np.sqrt((r[0] ** 2).sum() / max(n - form.n_free, 1)))
        value, by_log = form.terms(
            [np.log(window.target_x / scaled.x0[0, w])[None]], np.exp(found.phi[w : w + 1])
        )
        slope = np.nan_to_num(by_log[0] / value[0][:, None])
        result.append(
            _FormScore(
                mean=_log(form.predict(window.target_x, found.theta[w])[0], window),
                sd=_open(form, np.nan_to_num(jacobian[0, :n]), slope, scatter),
                scatter=scatter,
                held_out=float(held_out[w]),
            )
        )
    return result


def _finish(window: Window, judged: dict[str, _FormScore]) -> dict[str, Forecast]:
    """Return all forecasts, with the noise of the targets: that of the last sizes (assumed)."""
    if window.se is not None:
        noise = float(np.median((window.se / window.y)[-LAST:]))
    else:
        noise = min((j.scatter for n, j in judged.items() if n != "last_value"), default=0.0)
    forecasts = {
        name: Forecast(
            form=name,
            mean=j.mean,
            sd=np.hypot(noise, np.full_like(j.mean, noise) if name == "last_value" else j.sd),
        )
        for name, j in judged.items()
    }
    forecasts[COMBINED] = _combine(window, judged, noise)
    return forecasts


def _combine(window: Window, judged: dict[str, _FormScore], noise: float) -> Forecast:
    held_out = np.array([j.held_out for j in judged.values()])
    tested = np.isfinite(held_out)
    # a form without a test has little weight, and no part in the held-out error
    weight = 1 / (np.where(tested, held_out, LOST**2) + EQUAL**2 + noise**2)
    weight /= weight.sum()
    means = np.array([j.mean for j in judged.values()])
    middle, reach = _median(means, weight), STRAY * np.log(window.reach)
    means = np.clip(means, middle - reach, middle + reach)
    mean = weight @ means
    within = np.array([np.minimum(j.sd, LOST) for j in judged.values()])
    spread = np.sqrt(weight @ ((means - mean) ** 2 + within**2))
    missed = np.average(held_out[tested], weights=weight[tested]) if tested.any() else 0.0
    return Forecast(
        form=COMBINED,
        mean=mean,
        sd=np.hypot(noise, spread),
        rate=float(np.sqrt(missed) / _distance(window)),
        weights=tuple(zip(judged, map(float, weight), strict=True)),
    )


def _early(window: Window) -> NDArray[np.bool_]:
    """Return the sizes that remain when the last octave is held out."""
    early: NDArray[np.bool_] = window.x <= window.x[-1] / HELD_OUT * (1 + 1e-9)
    return early


def _distance(window: Window) -> float:
    """Return the reach of the inner test, in log size: an octave, or more for sparse sizes."""
    early = _early(window)
    if not early.any():
        return float(np.log(HELD_OUT))
    ahead = np.log(window.x[~early] / window.x[early][-1])
    return max(float(np.log(HELD_OUT)), float(ahead.mean()))


def _median(values_FT: Floats, weight_F: Floats) -> Floats:
    """Return the weighted median of the forms at each target, interpolated."""
    order = np.argsort(values_FT, axis=0, kind="stable")
    rising, share = np.take_along_axis(values_FT, order, 0), weight_F[order]
    middle = np.cumsum(share, axis=0) - share / 2
    return np.array([np.interp(0.5, m, v) for m, v in zip(middle.T, rising.T, strict=True)])


def _points(window: Window, kept: NDArray[np.bool_] | slice = slice(None)) -> Points:
    """Return a window with equal weights: a wrong form outweighs the noise (measured, LOG.md)."""
    return Points(x=window.x[kept][None], y=window.y[kept], weight=np.ones(len(window.x[kept])))


def _thetas(form: Form, windows: Sequence[Window], points: Sequence[Points]) -> list[Floats]:
    if not points:
        return []
    ceilings = [choose_ceiling(window.y) for window in windows]
    return list(fit_many(form, points, ceilings, quick=True).theta)


def _open(form: Form, jacobian_NP: Floats, slope_TP: Floats, scatter: float) -> Floats:
    """Return the sd of predictions by the uncertainty of the fit, linearised (T,)."""
    free = [p for p in range(len(form.names)) if p not in form.held]
    jacobian, slope = jacobian_NP[:, free], slope_TP[:, free]
    least = max(scatter, 1e-9)
    # A root of the normal matrix, which itself is singular to rounding where scatter is least.
    _, root = np.linalg.qr(np.vstack([jacobian / least, np.eye(len(free)) / PRIOR]))
    sd: Floats = np.linalg.norm(np.linalg.solve(root.T, slope.T), axis=0)
    return sd


def _log(values: Floats, window: Window) -> Floats:
    """Return logarithms; a prediction below LOWEST, or NaN, counts as LOWEST."""
    least = LOWEST * float(window.y.max())
    with np.errstate(invalid="ignore"):
        return np.log(np.maximum(np.nan_to_num(values, nan=least), least))
