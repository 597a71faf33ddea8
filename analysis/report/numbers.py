"""Compute every number of the report once, for numbers.json and for the templates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.effects.decision_rules import ratio_direction
from analysis.effects.tuning import Tuning
from analysis.laws.curves import LEVEL, Curve, curve_titles
from analysis.laws.fit import Fit
from analysis.laws.forms import FORMS
from analysis.results.identity import curve_id
from analysis.results.load import Results
from analysis.results.provenance import training_provenance
from analysis.results.reading import read_as, sentence_of
from analysis.stats.bootstrap import error_ratio
from scaling.analyses import to_plan


def make_numbers(
    results: Results,
    curves: list[Curve],
    tunings: Sequence[Tuning],
    *,
    sections: Sequence[dict[str, Any]],
    folder: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the report's numbers as JSON; unknown and unbounded ones are null.

    `sections` are of the studies' analyses, `folder` of the sections about the whole folder.
    """
    numbers = {
        "level": LEVEL,
        "command": f"scaling report {results.store.out}",
        "datasets": _datasets(results),
        "studies": [
            {
                "name": p["name"],
                "question": p["question"],
                "notes": p["notes"],
                "command": p["command"],
                "models": sum(len(cell["members"]) for cell in p["cells"]),
                "missing": _absent(results, p["cells"]),
                **_reading(p),
            }
            for p in results.plans.values()
        ],
        "cells": results.counts(),
        "models": len(results.models),
        "curves": [_curve(*pair) for pair in zip(curves, curve_titles(curves), strict=True)],
        "lead": _lead(results, curves),
        "comparison": _comparison(curves),
        "tunings": [tuned.summary() for tuned in tunings],
        "sections": list(sections),
        **folder,
        "claims": [
            row | {"section": _section_of(row["study"], sections)} for row in folder["claims"]
        ],
        "failures": _failures(results),
        "missing": _missing(results),
        "torn": [str(torn) for torn in results.corrupt],
        "misplaced": [f"{file.path}: {file.error}" for file in results.misplaced],
        "unverified_files": results.unverified,
        "methods": training_provenance(results.models),
    }
    return plain(numbers)  # type: ignore[no-any-return]


def _reading(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a study is read, and whether the report chose that by the shape of its grid."""
    reading = read_as(plan)
    return {
        "analyses": [to_plan(analysis) for analysis in reading.analyses],
        "has_curves": reading.has_curves,
        "chosen": sentence_of(reading),
    }


def _section_of(study: str | None, sections: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the id of the first section about a study."""
    return next((data["id"] for data in sections if data["study"] == study), None)


def fit_row(group: dict[str, Any], fit: Fit) -> dict[str, Any]:
    """Return a fit as a row of `scaling fit --json`."""
    return plain(fit.as_row(group))  # type: ignore[no-any-return]


def _datasets(results: Results) -> list[dict[str, Any]]:
    notes = {cell["dataset"]: cell.get("note", "") for cell in results.cells}
    return [{"name": name, "note": note} for name, note in notes.items()]


def _curve(curve: Curve, title: str) -> dict[str, Any]:
    law = curve.find_fit("power_law")
    return {
        "title": title,
        "fixed": curve.fixed,
        "sizes": [
            {
                "n_train": n,
                "error": s.error,
                "low": s.low,
                "high": s.high,
                "seeds": s.n_seeds,
                "se_test": s.se_test,
                "se_seed": s.se_seed,
                "misses": [int(m) for m in _misses(curve.models, n)],
                "n_test": int(curve.models["n_test"].iloc[0]),
            }
            for n, s in zip(curve.n_train, curve.summaries, strict=True)
        ],
        "fits": [
            fit_row({}, fit) | {"title": FORMS[fit.form].title, "latex": FORMS[fit.form].latex}
            for fit in curve.fits
        ],
        "fall": _fall(curve),
        "exponent": None
        if law is None
        else {"value": law.params["alpha"], "interval": law.intervals["alpha"]},
    }


def _lead(results: Results, curves: Sequence[Curve]) -> dict[str, int]:
    """Return the first planned curve of several sizes, and the number of those before it."""
    order = list(dict.fromkeys(curve_id(cell) for cell in results.study_cells))
    falls = [i for i, curve in enumerate(curves) if len(curve.n_train) > 1]
    first = min(falls, key=lambda i: order.index(curve_id(curves[i].entry)), default=0)
    return {"curve": first, "falls_before": falls.index(first) if falls else 0}


def _misses(models: pd.DataFrame, n_train: int) -> Any:
    return models[models["n_train"] == n_train].sort_values("seed")["test_misses"]


def _fall(curve: Curve) -> dict[str, Any] | None:
    """Return the ratios of images and of misses between the smallest and the largest size."""
    if len(curve.n_train) < 2:
        return None
    drawn = curve.replicates[:, 0] / curve.replicates[:, -1]
    errors = curve.errors
    ratio, ends = error_ratio(curve.summaries[0], curve.summaries[-1])
    if not (curve.thin[0] or curve.thin[-1]):
        ends = _quantiles(drawn)
    return {
        "n_low": curve.n_train[0],
        "n_high": curve.n_train[-1],
        "times_images": curve.n_train[-1] / curve.n_train[0],
        "error_low_n": errors[0],
        "error_high_n": errors[-1],
        "times_fewer": ratio,
        "interval": ends,
        "n_test": curve.n_test,
    }


def _comparison(curves: list[Curve]) -> dict[str, Any] | None:
    """Compare the last curve with the first at their largest size, paired over images and seeds."""
    if len(curves) < 2:
        return None
    first, last, titles = curves[0], curves[-1], curve_titles(curves)
    alike = ("test_set_id", "width", "split")
    shared = sorted(set(first.n_train) & set(last.n_train))
    if not shared or any(first.fixed[key] != last.fixed[key] for key in alike):
        return None
    i, j = first.n_train.index(shared[-1]), last.n_train.index(shared[-1])
    ratio, ends = error_ratio(last.summaries[j], first.summaries[i])
    if not (last.thin[j] or first.thin[i]):
        ends = _quantiles(last.replicates[:, j] / first.replicates[:, i])
    low, high = ends
    n_seeds = min(first.summaries[i].n_seeds, last.summaries[j].n_seeds)
    return {
        "n_train": shared[-1],
        "from": titles[0],
        "to": titles[-1],
        "from_error": first.errors[i],
        "to_error": last.errors[j],
        "ratio": ratio,
        "interval": ends,
        "n_test": first.n_test,
        "verdict": ratio_direction(low, high, n_seeds),
    }


def _failures(results: Results) -> list[dict[str, Any]]:
    return [
        {
            "run_id": m["run_id"],
            "kind": results.state.failures[m["run_id"]]["kind"],
            "error": results.state.failures[m["run_id"]]["error"],
        }
        for cell in results.cells
        for m in cell["members"]
        if results.state.failed(m["run_id"])
    ]


def _absent(results: Results, cells: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of planned models that are neither finished nor failed."""
    runs = [member["run_id"] for cell in cells for member in cell["members"]]
    return sum(r not in results.state.finished and not results.state.failed(r) for r in runs)


def _missing(results: Results) -> list[dict[str, Any]]:
    """Return the planned cells with models that are neither finished nor failed."""
    rows = []
    for cell in results.cells:
        if absent := _absent(results, [cell]):
            rows.append(
                {
                    "cell_id": cell["cell_id"],
                    "recipe": cell["recipe"]["name"],
                    "n_train": cell["n_train"],
                    "width": cell["width"],
                    "missing": absent,
                    "members": len(cell["members"]),
                }
            )
    return rows


def _quantiles(drawn: Any) -> list[float | None]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
