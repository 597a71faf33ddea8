"""Compare predicted and measured cost: core time by engine and width, and whole sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.present.formatting import NONE, seconds
from analysis.report.sections.section import Data, Section, Table
from analysis.results.load import Results

NAME = "planning"
MINUTES, SECONDS = 16, 19  # characters of a time
SHOWN = 12  # runs that are printed, the last ones
BY = ["engine", "device", "width"]


def measure(results: Results) -> Data | None:
    """Return the costs; None where no plan predicts a cost and no sweep left a record."""
    models, runs = _models(results), _runs(results)
    if models.empty and not runs:
        return None
    return {
        **_compare(models),
        "engines": [
            {**dict(zip(BY, key, strict=True)), **_compare(some), "cells": _spread(some)}
            for key, some in models.groupby(BY)
        ],
        "cells": [
            {"cell_id": cell_id, **{k: some[k].iloc[0] for k in BY}, **_compare(some)}
            for cell_id, some in models.groupby("cell_id")
        ],
        "runs": runs,
    }


def show(data: Data) -> Section:
    text, tables = [], []
    if data["models"]:
        text.append(
            f"{data['models']:,} models took {seconds(data['actual_s'])} of a core,"
            f" {data['ratio']:.2f} times the {seconds(data['predicted_s'])} that the plans"
            " predicted."
        )
        tables.append(
            Table(
                caption="Time of a core (or of a GPU in use), predicted and measured; ratio of"
                " the sums, and of the cells from the lowest to the highest",
                columns=(
                    *("engine", "on", "#width", "#models", "#predicted", "#measured", "#ratio"),
                    "cells",
                ),
                rows=tuple(
                    (
                        row["engine"],
                        row["device"],
                        f"{row['width']:g}",
                        f"{row['models']:,}",
                        seconds(row["predicted_s"]),
                        seconds(row["actual_s"]),
                        f"{row['ratio']:.2f}",
                        " to ".join(f"{ratio:.2f}" for ratio in row["cells"]),
                    )
                    for row in data["engines"]
                ),
            )
        )
    if runs := data["runs"]:
        ended = [run["ratio"] for run in runs if run["ratio"] is not None]
        if ended:
            took = " to ".join(dict.fromkeys(f"{ratio:.2f}" for ratio in (min(ended), max(ended))))
            text.append(
                f"{len(ended)} of {len(runs)} sweeps ended, in {took} times the predicted time."
            )
        tables.append(
            Table(
                caption="Sweeps, in minutes after Ray had started; stopped sweeps have no end",
                columns=(
                    *("study", "#cores", "#GPUs", "#trials", "#models", "#predicted", "#measured"),
                    *("#ratio", "begun"),
                ),
                rows=_run_rows(runs[-SHOWN:]),
            )
        )
    return Section(title="Predicted and measured cost", text=tuple(text), tables=tuple(tables))


def _models(results: Results) -> pd.DataFrame:
    """Return the trained models with a predicted cost, with predicted and measured seconds."""
    predicted: dict[str, float] = {}
    for plan in results.plans.values():
        for cell in plan["cells"]:
            cost_s = cell.get("predicted_s") or 0.0  # tunings and older plans may lack it
            for member in cell["members"] if cost_s else ():
                predicted.setdefault(member["run_id"], cost_s / len(cell["members"]))
    models = results.models
    taken = models["cpu_s"].where(models["device"] == "cpu", models["wall_s"])
    table = models[["run_id", "cell_id", *BY]].assign(
        predicted_s=models["run_id"].map(predicted).astype(float), actual_s=taken
    )
    return table[(table["actual_s"] > 0) & (table["predicted_s"] > 0)]


def _compare(models: pd.DataFrame) -> Data:
    predicted, actual = float(models["predicted_s"].sum()), float(models["actual_s"].sum())
    return {
        "models": len(models),
        "predicted_s": predicted,
        "actual_s": actual,
        "ratio": actual / predicted if predicted else None,
    }


def _spread(models: pd.DataFrame) -> list[float]:
    """Return the lowest and the highest ratio of a cell."""
    sums = models.groupby("cell_id")[["actual_s", "predicted_s"]].sum()
    ratios = sums["actual_s"] / sums["predicted_s"]
    return [float(ratios.min()), float(ratios.max())]


def _runs(results: Results) -> list[Data]:
    """Return the records of sweeps, the earliest first."""
    found = []
    for run in results.records.sweeps:
        done = run["wall_s"] is not None and run["predicted_wall_s"] > 0
        ratio = run["wall_s"] / run["predicted_wall_s"] if done else None
        found.append({**run, "ratio": ratio})
    return sorted(found, key=lambda run: str(run["started_at"]))


def _run_rows(runs: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each sweep, with seconds where rows would be the same without them."""
    rows = [_run_row(run, MINUTES) for run in runs]
    if len(set(rows)) < len(rows):
        rows = [_run_row(run, SECONDS) for run in runs]
    return tuple(rows)


def _run_row(run: Mapping[str, Any], digits: int) -> tuple[str, ...]:
    wall, ratio = run["wall_s"], run["ratio"]
    return (
        run["study"],
        f"{run['cpus']:,}",
        f"{run['gpus']:,}",
        f"{run['trials']:,}",
        f"{run['models']:,}",
        f"{run['predicted_wall_s'] / 60:.1f}",
        NONE if wall is None else f"{wall / 60:.1f}",
        NONE if ratio is None else f"{ratio:.2f}",
        str(run["started_at"])[:digits].replace("T", " "),
    )
