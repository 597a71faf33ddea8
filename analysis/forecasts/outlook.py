"""The outlook of a study's curves: forecasts, their backtests, and profiles of floors.

Everything is plain data for numbers.json; the sections print and draw it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.forecasts.backtest import Rolling, score_cases
from analysis.forecasts.calibration import make_cases
from analysis.forecasts.ensemble import COMBINED, forecast_windows
from analysis.forecasts.preregistered import forecast_curve
from analysis.laws.curves import Curve, curve_labels, noise_of, series_of
from analysis.laws.forms import FORMS
from analysis.laws.learning_curve import LEAST, Window, rolling_windows
from analysis.laws.profile import Profile, profile
from analysis.laws.widening import FAR, FILE, LEVEL, RATIOS, read_bank

STEPS = 9  # sizes of a fan
PROFILED = ("alpha", "E")
FORM = "power_law_floor"

Data = dict[str, Any]


def measure_outlook(curves: Sequence[Curve]) -> Data:
    """Return fans to FAR times the largest size, profiles, and backtests."""
    named = dict(zip(map(id, curves), curve_labels(curves), strict=True))
    enough = [curve for curve in curves if len(series_of(curve).x) >= LEAST]  # with misses
    return {
        "level": LEVEL,
        "far": FAR,
        "ahead": [_fan(curve, named[id(curve)]) for curve in enough],
        "profiles": [
            _profiles(curve, named[id(curve)])
            for curve in enough
            if len(curve.n_train) > FORMS[FORM].n_free
        ],
        "holding": _backtest_coverage(enough, [named[id(curve)] for curve in enough]),
    }


def _fan(curve: Curve, label: str) -> Data:
    series = series_of(curve)
    found = forecast_curve(series, series.x[-1] * np.geomspace(1, FAR, STEPS), LEVEL)
    rows = zip(found.x, found.y, found.low, found.high, strict=True)
    return {
        "curve": label,
        "fixed": curve.fixed,
        "largest": int(series.x[-1]),
        "points": [
            {"n_train": float(n), "error": float(y), "low": float(low), "high": float(high)}
            for n, y, low, high in rows
        ],
    }


def _profiles(curve: Curve, label: str) -> Data:
    errors = np.maximum(curve.errors, curve.least)
    found = {
        name: profile(
            curve.n_train,
            errors,
            parameter=name,
            form=FORM,
            replicates=noise_of(curve.replicates),
            level=LEVEL,
        )
        for name in PROFILED
    }
    if curve.floor and found["E"].high is not None:
        floor = found["E"]
        found["E"] = replace(floor, high=max(floor.high or 0.0, floor.value, curve.floor))
    if curve.limit:  # as widen_to_limit does with a fit
        alpha, floor = (found[name] for name in PROFILED)
        high = None if floor.high is None else max(floor.high, floor.value, curve.limit)
        found = {
            "alpha": replace(alpha, high=None),
            "E": replace(floor, low=0.0, high=high, upper_bound=True),
        }
    return {"curve": label} | {n: _profile(p) for n, p in found.items()}


def _profile(found: Profile) -> Data:
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "upper_bound": found.upper_bound,
        "trace": [list(pair) for pair in found.trace],
    }


def _backtest_coverage(curves: Sequence[Curve], labels: Sequence[str]) -> Data:
    """Return the held-out coverage on the bank's data sets, and the backtest of own curves."""
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    how = Rolling()
    windows: list[Window] = []
    names: list[str] = []
    for curve, label in zip(curves, labels, strict=True):
        found = rolling_windows(
            series_of(curve), window=how.window, min_origin=how.min_origin, ratios=how.ratios
        )
        windows += found
        names += [label] * len(found)
    return {
        "window": how.window,
        "sources": sorted({str(source["source"]) for source in stored["bank"]}),
        "forms": {
            form: {
                "k": entry["k"],
                "coverage": {f"{r:g}": entry["coverage"][f"{r:g}"] for r in RATIOS},
                "by_data_set": entry["by_data_set"],
            }
            for form, entry in stored["forms"].items()
            if "by_data_set" in entry
        },
        "ours": _ours(windows, names),
    }


def _ours(windows: list[Window], names: list[str]) -> list[Data]:
    if not windows:
        return []
    cases = score_cases(make_cases(windows, forecast_windows(windows)), windows, read_bank())
    rows = cases[cases["form"] == COMBINED].to_dict("records")
    return [
        {
            "curve": names[row["window"]],
            "from": float(windows[row["window"]].x[-1]),
            "ratio": row["ratio"],
            "log_error": row["error"],
            "half_width": row["half"],
            "held_before": bool(row["held_before"]),
            "held": bool(row["held"]),
        }
        for row in rows
    ]
