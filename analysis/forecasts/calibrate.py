"""Learn calibration.json from a bank of curves.

`SCALING_CURVES_DIR=... python -m analysis.forecasts.calibrate` writes it anew.
Nothing is fitted to a curve that is then judged: the coverage stored for a data set is that of
intervals widened by what the other data sets taught.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.forecasts.backtest import Rolling, score_cases
from analysis.forecasts.calibration import learn_k, make_cases
from analysis.forecasts.ensemble import COMBINED, forecast_windows
from analysis.laws.learning_curve import Window, rolling_windows, split_window
from analysis.laws.points import read_series
from analysis.laws.widening import FILE, LEVEL, RATIOS, Bank, alias
from scaling.errors import InputError

BASELINES = ("last_value", "power_law")


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFile:
    """A file of curves. Curves of one data set are held out together."""

    file: str
    source: str
    licence: str
    x: str
    y: str
    se: str | None
    group: tuple[str, ...]
    split: str | None
    data_set: Callable[[dict[str, object]], str]
    aliases: tuple[str, ...]  # columns whose values name the data set in a table of anybody's


SOURCES = (
    CurveFile(
        file="error_vs_n_train.csv",
        source="LCDB 1.1 (learning-curve-research/LCDB-1.1)",
        licence="CC BY 4.0",
        x="n_train",
        y="test_mean",
        se="test_se",
        group=("dataset", "openml_id", "learner"),
        split=None,
        data_set=lambda group: str(group["dataset"]),
        aliases=("dataset", "openml_id"),
    ),
    CurveFile(
        file="vision_fewshot.csv",
        source="google-research/revisiting_neural_scaling_laws",
        licence="Apache-2.0",
        x="Seen Examples",
        y="Loss",
        se=None,
        group=("Task", "Model"),
        split="Training",
        data_set=lambda group: str(group["Task"]).split("_")[0],
        aliases=("Task",),
    ),
)


def calibrate(folder: Path) -> dict[str, Any]:
    """What calibration.json holds, learned from the curves of a folder."""
    tables: list[pd.DataFrame] = []
    bank: list[dict[str, Any]] = []
    windows: list[Window] = []
    rolling = Rolling(ratios=RATIOS)
    for source in SOURCES:
        path = folder / source.file
        curves = read_series(
            str(path), x=source.x, y=source.y, se=source.se, group=source.group, split=source.split
        )
        found = [
            window
            for curve in curves
            for window in (
                split_window(curve)
                if source.split
                else rolling_windows(
                    curve,
                    window=rolling.window,
                    min_origin=rolling.min_origin,
                    ratios=rolling.ratios,
                )
            )
        ]
        cases = make_cases(found, forecast_windows(found))
        names = [source.data_set(dict(window.group)) for window in found]
        cases["data_set"] = [names[w] for w in cases["window"]]
        cases["window"] += len(windows)
        windows += found
        tables.append(cases)
        for name in dict.fromkeys(names):
            own = [w for w, n in zip(found, names, strict=True) if n == name]
            bank.append(
                {
                    "data_set": name,
                    "aliases": sorted(
                        {alias(c, w.group[c]) for w in own for c in source.aliases} | {name}
                    ),
                    "windows": len(own),
                    "file": source.file,
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "source": source.source,
                    "licence": source.licence,
                }
            )
    cases = pd.concat(tables, ignore_index=True)
    return {
        "what": "k of sd^2 + (k ln r)^2: the widening of log-error intervals at ratio r",
        "how": "analysis/forecasts/calibrate.py: the least k that holds at each ratio over the data"
        " sets of the bank; coverage [nominal, widened] is of each data set, by ratio, with the"
        " others' k",
        "learned": datetime.now(UTC).date().isoformat(),
        "level": LEVEL,
        "window": rolling.window,
        "min_origin": rolling.min_origin,
        "bank": bank,
        "forms": _forms(cases, windows, [str(entry["data_set"]) for entry in bank], bank),
    }


def _forms(
    cases: pd.DataFrame, windows: list[Window], names: list[str], bank: list[dict[str, Any]]
) -> dict[str, Any]:
    learned: dict[str, Any] = {
        str(form): {
            "k": round(learn_k(part), 4),
            "without": {n: round(learn_k(part[part["data_set"] != n]), 4) for n in names},
        }
        for form, part in cases.groupby("form", sort=False)
    }
    held_out = Bank(
        k={form: entry["k"] for form, entry in learned.items()},
        without={n: {f: entry["without"][n] for f, entry in learned.items()} for n in names},
        aliases={alias: entry["data_set"] for entry in bank for alias in entry["aliases"]},
    )
    scored = score_cases(cases, windows, held_out)
    scored["ratio"] = scored["ratio"].map(lambda r: "ahead" if pd.isna(r) else f"{r:g}")
    for (form, ratio), part in scored.groupby(["form", "ratio"]):
        coverage = learned[str(form)].setdefault("coverage", {})
        coverage[ratio] = [round(float(part[c].mean()), 3) for c in ("held_before", "held")]
    for (form, name, ratio), part in scored.groupby(["form", "data_set", "ratio"], sort=False):
        if form in (COMBINED, *BASELINES):
            by_name = learned[str(form)].setdefault("by_data_set", {}).setdefault(str(name), {})
            by_name[ratio] = _spread(part)
    return learned


def _spread(part: pd.DataFrame) -> dict[str, Any]:
    """How forecasts of one data set missed: quantiles of the log error, and coverage."""
    tails = part["error"].quantile([(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return {
        "n": len(part),
        "log_error": [round(float(value), 4) for value in tails],
        "coverage": [round(float(part[c].mean()), 3) for c in ("held_before", "held")],
    }


def main() -> None:
    """Write calibration.json anew."""
    folder = os.environ.get("SCALING_CURVES_DIR")
    if not folder:
        raise InputError("SCALING_CURVES_DIR names no folder: it must hold the bank of curves")
    FILE.write_text(json.dumps(calibrate(Path(folder)), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
