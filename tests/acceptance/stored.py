"""Read stored results by their files: Parquet and JSON, as the README shows them to any tool."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

# When, where and how long: nothing of it bears on a result.
PROVENANCE = ["wall_s", "cpu_s", "created_at", "host", "git_commit"]
CELL = ["recipe", "width", "n_train"]


def models(out: Path) -> dict[str, int]:
    """Return the stored models by run_id, with the time at which their file changed last."""
    return {
        run: path.stat().st_mtime_ns
        for path in (out / "metrics").glob("*.parquet")
        for run in pd.read_parquet(path, columns=["run_id"])["run_id"].unique()
    }


def metrics(out: Path) -> pd.DataFrame:
    """Return all rows, but for their provenance, in an order that no run changes."""
    rows = pd.read_parquet(out / "metrics").drop(columns=PROVENANCE)
    return rows.sort_values(["run_id", "epoch"], ignore_index=True)


def predictions(out: Path) -> pd.DataFrame:
    """Return the predictions of all models, in an order that no run changes."""
    return pd.read_parquet(out / "predictions").sort_values("run_id", ignore_index=True)


def last_rows(out: Path) -> pd.DataFrame:
    """Return the row of each model's last epoch, by recipe, width, size and seed."""
    rows = metrics(out)
    return rows[rows["epoch"] == rows["epochs"]].set_index([*CELL, "seed"]).sort_index()


def plan(out: Path, study: str) -> dict[str, Any]:
    """Return the stored plan of a study."""
    text = (out / "studies" / f"{study}.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def planned(out: Path, study: str) -> set[str]:
    """Return the models of a study by run_id."""
    cells = plan(out, study)["cells"]
    return {member["run_id"] for cell in cells for member in cell["members"]}


def expected_status(out: Path, study: str) -> dict[str, Any]:
    """Count by rows what `scaling status --json` should say; no model has failed."""
    there = models(out)
    cells = [
        [member["run_id"] in there for member in cell["members"]]
        for cell in plan(out, study)["cells"]
    ]
    return {
        "cells": len(cells),
        "finished": sum(all(cell) for cell in cells),
        "failed": 0,
        "missing": sum(not all(cell) for cell in cells),
        "in_part": sum(any(cell) and not all(cell) for cell in cells),
        "models": sum(len(cell) for cell in cells),
        "models_finished": sum(sum(cell) for cell in cells),
        "models_failed": 0,
        "unplanned": 0,
        "torn": [],
        "misplaced": [],
        "unverified_files": 0,
    }
