"""Predictions first: what a cell will give, written down before it is trained.

A forecast is a file of its own in OUT/forecasts and is never changed. A cell of which any model is
trained gets none any more, so what is there was written before the answer was known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.calibration import LEVEL, quantile, read_bank, widened
from analysis.combine import COMBINED, Forecast, forecast_windows
from analysis.curves import FIXED, find_curves, series_of
from analysis.equations import Floats
from analysis.inputs import check_level, check_many, check_positive, numbers
from analysis.load import Results
from analysis.series import LEAST, Series, Window, make_series
from analysis.uncertainty import limit_of_none
from scaling.errors import InputError

FOLDER = "forecasts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The error ahead at sizes x, by all forms together; all (N,). `k` is the curve's own."""

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
    """What errors y at sizes x, (N,) each, say of larger sizes `at`: the default choice of form.

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
    return look_ahead(series, np.atleast_1d(numbers("forecast: sizes", at)), check_level(level))


def look_ahead(series: Series, at: Floats, level: float = LEVEL) -> Outlook:
    """The combined forecast of a curve at sizes `at`, from all its points."""
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
    half = quantile(level) * widened(found.sd, k, window.reach)
    low, high = np.exp(found.mean - half), np.exp(found.mean + half)
    if series.limit:  # errors without a miss are none of the points: they may be anything up to it
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
    """Write a forecast for each cell of a plan of which no model is trained; a row for each cell.

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
    curves = {_key(curve.fixed): series_of(curve) for curve in find_curves(results, ())}
    rows = []
    for cell in cells:
        row = _row(cell, curves.get(_key(_fixed(cell))), results, fit_to) | {"study": plan["name"]}
        if row["reason"] is None:
            stamp = row["made_at"].replace(":", "").replace("-", "")
            results.store.write_file(
                f"{FOLDER}/{cell['cell_id']}.{stamp}.json",
                json.dumps(row, indent=1, allow_nan=False).encode(),
            )
        rows.append(row)
    return rows


def compare(results: Results) -> list[dict[str, Any]]:
    """Predicted against actual for every cell with a forecast; `actual` is None until trained.

    Of several forecasts of a cell the last before its first model counts.
    """
    trained = {str(cell): models for cell, models in results.models.groupby("cell_id")}
    last: dict[str, dict[str, Any]] = {}
    for _, body in results.store.read_files(FOLDER, ".json"):
        row = json.loads(body)
        models = trained.get(row["cell_id"])
        made = datetime.fromisoformat(row["made_at"])
        in_time = models is None or made < models["created_at"].min()
        earlier = last.get(row["cell_id"])
        if in_time and (earlier is None or row["made_at"] > earlier["made_at"]):
            last[row["cell_id"]] = row
    compared = []
    for cell, row in last.items():
        actual = float(trained[cell]["error"].mean()) if cell in trained else None
        most = actual or (0.0 if actual is None else _allowed(trained[cell]))
        compared.append(
            row
            | {
                "actual": actual,
                "inside": None if actual is None else row["low"] <= most and actual <= row["high"],
                "log_error": None if not actual else float(np.log(row["error"] / actual)),
            }
        )
    return compared


def _allowed(models: pd.DataFrame) -> float:
    """The largest error that a cell without a miss may have."""
    return limit_of_none(int(models["n_test"].iloc[0]), LEVEL)


def _row(
    cell: Mapping[str, Any], series: Series | None, results: Results, fit_to: int | None
) -> dict[str, Any]:
    row = {"cell_id": cell["cell_id"], "n_train": cell["n_train"], **_fixed(cell), "reason": None}
    known = {member["run_id"] for member in cell["members"]} & results.state.finished
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
    ahead = look_ahead(smaller, np.array([float(cell["n_train"])]))
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


def _fixed(cell: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a curve from the others, of a cell as the plan has it."""
    recipe = cell["recipe"]
    own = {"recipe": recipe["name"], "epochs": recipe["epochs"], "batch_size": recipe["batch_size"]}
    return {name: own.get(name, cell.get(name)) for name in FIXED}


def _key(fixed: Mapping[str, Any]) -> tuple[str, ...]:
    """Numbers as text, since tables and plans may hold 1 and 1.0."""
    return tuple(f"{v:g}" if isinstance(v, int | float) else str(v) for v in fixed.values())
