"""The comparison of two results folders: cells in both, changes beyond noise, and cost."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.claims.claim import effect_row
from analysis.compare.difference import effect_between, p_value, shared_seeds
from analysis.compare.identity import identical_models
from analysis.compare.laws import compare_laws
from analysis.compare.matching import SAME, Matching, Pair, match_cells
from analysis.effects.decision_rules import (
    ALPHA,
    FEWER_IN_B,
    IDENTICAL,
    MORE_IN_B,
    UNTESTED,
    folder_direction,
)
from analysis.effects.paired import Resampler
from analysis.present.labels import differing_fields, labels
from analysis.results.cell_results import LEVEL, CellResult, describe_cell, every_cell
from analysis.results.load import Results
from analysis.results.provenance import training_provenance
from analysis.stats.holm import holm

__all__ = ["Data", "compare"]

DEFINING = ("recipe", "model", "epochs", "batch_size", "lr", "weight_decay", "test_set_id")
SHOWN = ("dataset", "n_train", "width", "epochs")  # beside a cell's title
Data = dict[str, Any]


def compare(a: Results, b: Results) -> Data:
    """Return the numbers of the comparison; changes are of B against A, and come first.

    Holm's correction is over the cells of both that are not identical and have two seeds.
    """
    matched = match_cells(every_cell(a), every_cell(b))
    common = sorted(set(a.models["run_id"]) & set(b.models["run_id"]))
    same = identical_models(a, b, common)
    rows = _changes(matched.pairs, same)
    only = {"only_a": matched.only_a, "only_b": matched.only_b}
    alone = {side: [describe_cell(cell) for cell in cells] for side, cells in only.items()}
    _name(matched, rows, [*alone["only_a"], *alone["only_b"]])
    rows = sorted(rows, key=lambda row: row["verdict"] not in (FEWER_IN_B, MORE_IN_B))
    verdicts = [row["verdict"] for row in rows]
    exact = [p for p in matched.pairs if p.match == SAME]
    runs_a, runs_b = set(a.models["run_id"]), set(b.models["run_id"])
    return {
        "level": LEVEL,
        "alpha": ALPHA,
        "a": _folder(a),
        "b": _folder(b),
        "rows": rows,
        **alone,
        "models_common": len(common),
        "models_identical": len(same),
        "nothing_differs": runs_a == runs_b == same and runs_a != set() and _plan(a) == _plan(b),
        "identical": verdicts.count(IDENTICAL),
        "tested": sum(row["p"] is not None for row in rows),
        "fewer": verdicts.count(FEWER_IN_B),
        "more": verdicts.count(MORE_IN_B),
        "one_seed": verdicts.count(UNTESTED),
        "laws": compare_laws(matched.pairs),
        "cost": {
            "cells": len(exact),
            "a": _us([pair.a for pair in exact]),
            "b": _us([pair.b for pair in exact]),
        },
    }


def _changes(pairs: Sequence[Pair], same: frozenset[str]) -> list[Data]:
    """Return a row for each pair, with p-values after Holm."""
    resampler = Resampler()
    rows = [_row(pair, same, resampler) for pair in pairs]
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = adjusted
        row["verdict"] = folder_direction(adjusted, row["change"]["change"])
    return rows


def _name(matched: Matching, rows: Sequence[Data], alone: Sequence[Data]) -> None:
    """Give each cell a title that no other cell on the page has."""
    cells = [cell for pair in matched.pairs for cell in (pair.a, pair.b)]
    cells += [*matched.only_a, *matched.only_b]
    named = [row[side] for row in rows for side in "ab"] + list(alone)
    titles = labels([cell.facts for cell in cells], shown=SHOWN)
    for described_cell, title in zip(named, titles, strict=True):
        described_cell["title"] = title


def _differing(a: CellResult, b: CellResult) -> list[str]:
    """Return the names of differing fields; of the recipe's contents where its name is the same."""
    found = [name for name in DEFINING if getattr(a, name) != getattr(b, name)]
    if a.recipe == b.recipe:
        found += [name for name in differing_fields(a.facts, b.facts) if name not in found]
    return found


def _plan(results: Results) -> dict[str, bool]:
    """Return every planned model, and whether it failed."""
    runs = [member["run_id"] for cell in results.cells for member in cell["members"]]
    return {run: results.state.failed(run) for run in runs}


def _row(pair: Pair, same: frozenset[str], resampler: Resampler) -> Data:
    a, b = pair.a, pair.b
    seeds = shared_seeds(a, b)
    runs = [dict(zip(cell.models["seed"], cell.models["run_id"], strict=True)) for cell in (a, b)]
    identical = bool(seeds) and all(
        runs[0][seed] == runs[1][seed] and runs[0][seed] in same for seed in seeds
    )
    paired_by, effect = effect_between(a, b, resampler)
    return {
        "match": pair.match,
        "a": describe_cell(a),
        "b": describe_cell(b),
        "differing": _differing(a, b),
        "seeds_common": len(seeds),
        "paired_by": paired_by,
        "change": None if identical else effect_row(effect),
        "p": None if identical else p_value(effect),
        "p_holm": None,
        "verdict": IDENTICAL if identical else UNTESTED,  # until Holm's correction
    }


def _folder(results: Results) -> Data:
    """Return the contents of a results folder, and how its models were trained."""
    return {
        "out": results.store.out,
        "studies": list(results.plans),
        **results.counts(),
        "models": len(results.models),
        "failures": sum(
            results.state.failed(member["run_id"])
            for cell in results.cells
            for member in cell["members"]
        ),
        "torn": len(results.corrupt),
        **training_provenance(results.models),
    }


def _us(cells: Sequence[CellResult]) -> float | None:
    """Return the microseconds an example of these cells' models, evaluations included."""
    if not cells:
        return None
    models = pd.concat([cell.models for cell in cells])
    return float(1e6 * models["cpu_s"].sum() / models["examples_seen"].sum())
