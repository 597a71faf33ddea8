"""Preregistered forecasts: the error of a cell, written down before its training.

A forecast is a file of its own in OUT/forecasts and never changes. A cell with a trained model gets
no forecast any more, so every forecast is older than its result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.arrays import Floats
from analysis.forecasts.ensemble import COMBINED, Forecast, forecast_windows
from analysis.laws.curves import FIXED, Curve, find_curves, series_of
from analysis.laws.learning_curve import LEAST, Series, Window, make_series
from analysis.laws.validation import check_level, check_many, check_positive, numbers
from analysis.laws.widening import LEVEL, quantile, read_bank, widened_sd
from analysis.results.identity import RATES, curve_id, facts_of, planned_from_facts, rates_of
from analysis.results.load import Results
from analysis.stats.bootstrap import zero_miss_limit
from scaling.errors import InputError

FORECASTS = "forecasts"  # the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The forecast error at sizes x, by the ensemble; all (N,). `k` is the curve's own."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats
    level: float
    k: float
    weights: dict[str, float]


def forecast(
    x: ArrayLike,
    y: ArrayLike,
    se: ArrayLike | None = None,
    *,
    at: ArrayLike,
    level: float = LEVEL,
    group: Mapping[str, object] | None = None,
) -> Outlook:
    """Forecast the error at larger sizes `at` from errors y at sizes x, (N,) each.

    Errors at the same size are averaged, in logarithms. Raises InputError for fewer than four
    sizes, or for values that are not positive.
    """
    x_N, y_N = (numbers("forecast: sizes and errors", values) for values in (x, y))
    se_N = None if se is None else numbers("forecast: standard errors", se)
    shapes = {values.shape for values in (x_N, y_N, se_N) if values is not None}
    if len(shapes) > 1 or y_N.ndim != 1:
        raise InputError("forecast: x, y and se must be vectors as long as each other")
    check_many(len(y_N))
    check_positive("forecast", x=x_N, y=y_N, se=se_N)
    series = make_series(group or {}, x_N, y_N, se_N)
    return forecast_curve(series, np.atleast_1d(numbers("forecast: sizes", at)), check_level(level))


def forecast_curve(series: Series, at: Floats, level: float = LEVEL) -> Outlook:
    """Return the ensemble's forecast of a curve at sizes `at`, from all its points.

    Raises InputError for fewer than LEAST sizes, or invalid ones ahead.
    """
    if len(series.x) < LEAST:
        raise InputError(f"a forecast needs {LEAST} sizes, got {len(series.x)}")
    if at.ndim != 1:
        raise InputError(f"forecast: sizes ahead of shape {at.shape}, expected a vector")
    check_positive("forecast", at=at)
    window = Window(
        group=series.group,
        x=series.x,
        y=series.y,
        se=series.se,
        target_x=at,
        target_y=np.full(len(at), np.nan),
        ratio=np.full(len(at), np.nan),
    )
    found: Forecast = forecast_windows([window])[0][COMBINED]
    k = float(np.hypot(read_bank().widening(COMBINED, series.group), found.rate))
    half = quantile(level) * widened_sd(found.sd, k, window.reach)
    low, high = np.exp(found.mean - half), np.exp(found.mean + half)
    if series.limit:  # errors of 0 are left out of the points: they may be anything up to it
        low, high = np.zeros_like(low), np.maximum(high, series.limit)
    return Outlook(
        x=at,
        y=np.exp(found.mean),
        low=low,
        high=high,
        level=level,
        k=k,
        weights=dict(found.weights),
    )


def forecast_cells(
    results: Results,
    plan: Mapping[str, Any],
    *,
    wanted: Sequence[str] = (),
    fit_to: int | None = None,
) -> list[dict[str, Any]]:
    """Write a forecast for each cell of a plan without a trained model; return a row a cell.

    `wanted` are cell ids or patterns of them. A cell without a forecast has a `reason`.
    Raises InputError if no cell is wanted.
    """
    cells = [
        cell
        for cell in plan["cells"]
        if not wanted or any(fnmatch(cell["cell_id"], pattern) for pattern in wanted)
    ]
    if not cells:
        raise InputError(f"no cell of {plan['name']} matches {', '.join(wanted)}")
    curves: dict[str, list[Curve]] = {}
    for curve in find_curves(results, ()):
        curves.setdefault(curve_id(curve.planned_cell), []).append(curve)
    rows = []
    for cell in cells:
        mine = curves.get(curve_id(cell), [])
        for rates, members in _by_rates(cell):
            own = next((c for c in mine if len(mine) == 1 or rates_of(c) == rates), None)
            row = _row(cell, members, None if own is None else series_of(own), results, fit_to)
            row |= {"study": plan["name"]} | dict(zip(RATES, rates, strict=True))
            if row["reason"] is None:
                stamp = row["made_at"].replace(":", "").replace("-", "")
                results.store.write_json(f"{FORECASTS}/{cell['cell_id']}.{stamp}.json", row)
            rows.append(row)
    return rows


def score_forecasts(results: Results) -> list[dict[str, Any]]:
    """Return predicted and actual errors of every cell with a forecast; `actual` may be None.

    Of several forecasts of a cell the last before its first model counts.
    """
    cells = {str(cell): models for cell, models in results.models.groupby("cell_id")}
    planned = {cell["cell_id"]: cell for cell in results.cells}
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for stored in results.records.forecasts:
        row = dict(stored)
        models = _of_rates(cells.get(row["cell_id"]), row)
        made = datetime.fromisoformat(row["made_at"])
        in_time = models is None or made < models["created_at"].min()
        key = (row["cell_id"], *(row.get(name) for name in RATES))
        earlier = last.get(key)
        if in_time and (earlier is None or row["made_at"] > earlier["made_at"]):
            last[key] = row
    compared = []
    for row in last.values():
        models = _of_rates(cells.get(row["cell_id"]), row)
        actual = None if models is None else float(models["error"].mean())
        most = actual or (0.0 if models is None else _allowed(models))
        rates = {name: row[name] for name in RATES if name in row}
        known = {name: row[name] for name in (*FIXED, "n_train") if name in row}
        entry = planned.get(row["cell_id"]) or planned_from_facts(known)
        compared.append(
            row
            | {
                "actual": actual,
                "inside": None if actual is None else row["low"] <= most and actual <= row["high"],
                "log_error": None if not actual else float(np.log(row["error"] / actual)),
                "facts": facts_of(entry, **rates),
            }
        )
    return compared


def _allowed(models: pd.DataFrame) -> float:
    """Return the largest error that a cell without a miss may have."""
    return zero_miss_limit(int(models["n_test"].iloc[0]), LEVEL)


def _of_rates(models: pd.DataFrame | None, row: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return a cell's models at the rates of a forecast (older ones have none), or None."""
    if models is None:
        return None
    for name in RATES:
        if name in row:
            models = models[models[name] == row[name]]
    return models if len(models) else None


def _by_rates(cell: Mapping[str, Any]) -> list[tuple[tuple[float, float], list[Any]]]:
    """Return the members of a planned cell by learning rate and weight decay."""
    found: dict[tuple[float, float], list[Any]] = {}
    for member in cell["members"]:
        found.setdefault((member["lr"], member["weight_decay"]), []).append(member)
    return list(found.items())


def _row(
    cell: Mapping[str, Any],
    members: Sequence[Mapping[str, Any]],
    series: Series | None,
    results: Results,
    fit_to: int | None,
) -> dict[str, Any]:
    row = {"cell_id": cell["cell_id"], "n_train": cell["n_train"], **_of_plan(cell), "reason": None}
    known = {member["run_id"] for member in members} & results.state.finished
    if known:
        return row | {"reason": f"trained already ({len(known)} models): no forecast any more"}
    limit = min(fit_to or cell["n_train"], cell["n_train"] - 1)
    inside = series.x <= limit if series is not None else np.zeros(0, bool)
    if series is None or inside.sum() < LEAST:
        return row | {"reason": f"{inside.sum()} smaller sizes are trained, it takes {LEAST}"}
    smaller = Series(
        group=series.group,
        x=series.x[inside],
        y=series.y[inside],
        se=None if series.se is None else series.se[inside],
        fitted=series.fitted[inside],
        limit=series.limit,
    )
    ahead = forecast_curve(smaller, np.array([float(cell["n_train"])]))
    return row | {
        "made_at": datetime.now(UTC).isoformat(),
        "form": COMBINED,
        "error": float(ahead.y[0]),
        "low": float(ahead.low[0]),
        "high": float(ahead.high[0]),
        "level": ahead.level,
        "k": ahead.k,
        "weights": ahead.weights,
        "fitted_n_train": [int(n) for n in smaller.x],
        "fitted_errors": [float(y) for y in smaller.y],
    }


def _of_plan(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a planned cell."""
    recipe = cell["recipe"]
    own = {"recipe": recipe["name"], "epochs": recipe["epochs"], "batch_size": recipe["batch_size"]}
    return {name: own.get(name, cell.get(name)) for name in FIXED}
