"""What can be said of 2055, in four layers, each weaker than the one before.

(a) The fitted law, within the sizes that were trained. (b) To about ten times the largest, with
intervals widened by what such forecasts missed on other curves. (c) At ten million times the data
of 1989 only the set of forms that the data do not reject. (d) Historical trends as scenarios, each
with its back-test (trends.py, training_time.py).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from analysis.arrays import Floats
from analysis.forecasts.form_tests import REJECTED, FormTest, try_forms
from analysis.forecasts.preregistered import look_ahead
from analysis.laws.curves import Curve, curve_titles, series_of
from analysis.laws.fit_result import Fit
from analysis.laws.forms import FORMS
from analysis.laws.learning_curve import LEAST
from analysis.laws.widening import FAR, LEVEL, RATIOS
from analysis.present.style import recipe_title
from analysis.reference.facts import fact
from analysis.reference.training_time import measured_seconds, time_scenarios
from analysis.reference.trends import AHEAD, BEFORE, NETWORK, NETWORK_NAME, NOW, THEN, outlooks
from analysis.results.cell_results import Cells
from analysis.results.identity import only_one
from scaling.study import identity_without

ALIKE = 2.0  # the set of forms determines an error if all it allows is within this factor (assumed)
BASELINE = "1989"
LOOSE = ("n_train", "width", "epochs", "split", "batch_size")  # the recipe is the same with any
LINE = 40  # points of each line that figures draw

Data = dict[str, Any]


def project_2055(curves: Sequence[Curve], cells: Cells) -> Data | None:
    """Everything the report says of 2055, as JSON; None for a folder without curves."""
    if not curves:
        return None
    seconds, main = measured_seconds(cells), main_curves(curves)
    return {
        "level": LEVEL,
        "then": int(THEN),
        "network": int(NETWORK),
        "network_name": NETWORK_NAME,
        "before": BEFORE,
        "tested_ratios": [min(RATIOS), max(RATIOS)],
        "now": int(NOW),
        "ahead": int(AHEAD),
        "years": int(AHEAD - NOW),
        "test_years": int(NOW - THEN),
        "least_sizes": LEAST,
        "most_sizes": max(_sizes(curve) for curve in curves),
        "curves": [
            look_far(curve) | {"title": title}
            for curve, title in zip(main, curve_titles(main), strict=True)
        ],
        "outlooks": [asdict(found) for found in outlooks()],
        "measured": None if seconds is None else asdict(seconds),
        "published_seconds": {
            year: fact("train_wallclock", year).value for year in ("1989", "2022")
        },
        "times": [asdict(found) for found in time_scenarios(seconds)],
    }


def main_curves(curves: Sequence[Curve]) -> list[Curve]:
    """The curve of least error, and that of 1989 beside it: of each recipe the one of most sizes.

    Only curves with sizes enough for a forecast, on the test images of the widest of them.
    """
    long = [curve for curve in curves if _sizes(curve) >= LEAST]
    if not long:
        return []
    widest = max(long, key=_range)
    of_recipe: dict[str, Curve] = {}
    for curve in sorted(long, key=_range):
        if curve.fixed["test_set_id"] == widest.fixed["test_set_id"]:
            of_recipe[identity_without(curve.planned_cell, *LOOSE)] = curve
    best = min(of_recipe.values(), key=lambda curve: curve.errors[-1])
    of_1989 = [c for c in of_recipe.values() if c.recipe == BASELINE and c.is_built_in]
    base = only_one(of_1989)
    known = base is None or any(curve is best for curve in of_1989)
    return [best] if known or base is None else [best, base]


def look_far(curve: Curve) -> Data:
    """Layers (a) to (c) of one curve."""
    largest, far = float(curve.n_train[-1]), far_size()
    tried = try_forms(curve)
    kept = [one for one in tried if not one.rejected]
    law = next((one for one in kept if one.form == "power_law_floor"), None)
    law = law or next((one for one in kept if one.form == "power_law"), None)
    return {
        "recipe": curve.recipe,
        "title": recipe_title(curve.recipe),
        "fixed": dict(curve.fixed),
        "n_low": curve.n_train[0],
        "n_high": curve.n_train[-1],
        "n_train": list(curve.n_train),
        "errors": [float(error) for error in curve.errors],
        "limit": curve.limit or None,
        "seeds": min(summary.n_seeds for summary in curve.summaries),
        "law": None if law is None else _law(law.fit, curve),
        "ahead": _ahead(curve, largest),
        "far": {
            "n_train": far,
            "times": fact("claim_2055_data_model").value,
            "beyond": far / largest,
        }
        | _far(tried, far, _label_noise(curve), curve.limit),
    }


def far_size() -> float:
    """Ten million times the training images of 1989."""
    return fact("train_images", "1989").value * fact("claim_2055_data_model").value


def _law(fit: Fit, curve: Curve) -> Data:
    x = np.geomspace(curve.n_train[0], curve.n_train[-1], LINE)
    inside = fit.predict(x)
    return {
        "form": fit.form,
        "latex": FORMS[fit.form].latex,
        "title": FORMS[fit.form].title,
        "params": fit.params,
        "intervals": {name: list(ends) for name, ends in fit.intervals.items()},
        "line": _line(x, inside.y, inside.low, inside.high),
    }


def _ahead(curve: Curve, largest: float) -> Data:
    """The calibrated forecast at FAR, and the fan that leads there."""
    x = np.geomspace(largest, FAR * largest, LINE // 2)
    found = look_ahead(series_of(curve), x)
    return {
        "n_train": x[-1],
        "times": FAR,
        "error": found.y[-1],
        "low": found.low[-1],
        "high": found.high[-1],
        "k": found.k,
        "line": _line(found.x, found.y, found.low, found.high),
    }


def _far(tried: Sequence[FormTest], far: float, label_noise: float | None, limit: float) -> Data:
    """What each form says at `far`, and all that those which are not rejected allow."""
    forms = [_form(one, far, limit) for one in tried]
    kept = [form for form in forms if not form["rejected"] and form["low"] is not None]
    low, high = (
        (min(form["low"] for form in kept), max(form["high"] for form in kept))
        if kept
        else (None, None)
    )
    widest = [f(form["widened"][i] for form in kept) for f, i in ((max, 1), (min, 0)) if kept]
    return {
        "forms": forms,
        "kept": len(kept),
        "rejected": sum(form["rejected"] for form in forms),
        "p_rejected": REJECTED,
        "low": low,
        "high": high,
        "label_noise": label_noise,
        "alike": ALIKE,
        "determined": bool(kept) and widest[0] <= ALIKE * widest[1],
    }


def _form(one: FormTest, far: float, limit: float) -> Data:
    """`low` and `high` are of the form itself; `widened` by as much more as forms are wrong.

    Where hardly an image was missed they span all that the test set allows, from 0 on.
    """
    at = one.fit.predict([far])
    x = np.geomspace(one.fit.x_range[0], far, LINE)
    line = one.fit.predict(x)
    known = bool(np.isfinite(at.nominal[0][0]))
    low, high = at.nominal[0][0], at.nominal[1][0]
    if limit and known:
        low, high = 0.0, max(high, limit, at.y[0])
    wide = [0.0, max(at.high[0], limit, at.y[0])] if limit else [at.low[0], at.high[0]]
    return {
        "form": one.form,
        "title": FORMS[one.form].title,
        "status": one.fit.status,
        "p_fit": one.p_fit,
        "p_held_out": one.p_held_out,
        "p": one.p,
        "rejected": one.rejected,
        "error": at.y[0],
        "low": low if known else None,
        "high": high if known else None,
        "widened": wide,
        "floor": one.fit.params.get("E"),
        "line": _line(x, line.y, *line.nominal),
    }


def _label_noise(curve: Curve) -> float | None:
    """The share of test labels known to be wrong; None for data without a count of them."""
    if str(curve.fixed["dataset"]) != "mnist":
        return None
    return fact("mnist_test_label_errors").value


def _line(x: Floats, y: Floats, low: Floats, high: Floats) -> Data:
    return {"x": x.tolist(), "y": y.tolist(), "low": low.tolist(), "high": high.tolist()}


def _sizes(curve: Curve) -> int:
    """Sizes at which something was missed: an error of 0 has no logarithm."""
    return len(series_of(curve).x)


def _range(curve: Curve) -> tuple[float, int]:
    return curve.n_train[-1] / curve.n_train[0], len(curve.models)
