"""Two results folders side by side: what is in both, what changed beyond noise, at what cost."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.claims.claim import row_of
from analysis.compare.difference import differ, p_value, shared_seeds
from analysis.compare.identity import identical_models
from analysis.compare.laws import compare_laws
from analysis.compare.matching import SAME, Matched, Pair, match_cells
from analysis.effects.decision_rules import ALPHA, holm
from analysis.effects.paired import Resampler
from analysis.present.labels import differing, labels
from analysis.results.cell_results import LEVEL, CellResult, described, every_cell
from analysis.results.load import Results
from analysis.results.provenance import methods

__all__ = ["FEWER", "IDENTICAL", "MORE", "NOISE", "ONE_SEED", "compare"]

FEWER, MORE = "fewer misses in B", "more misses in B"
NOISE, ONE_SEED, IDENTICAL = "within noise", "one seed: cannot be told", "identical"
DEFINING = ("recipe", "model", "epochs", "batch_size", "lr", "weight_decay", "test_set_id")
SHOWN = ("dataset", "n_train", "width", "epochs")  # beside a cell's title
Data = dict[str, Any]


def compare(a: Results, b: Results) -> Data:
    """What the comparison says, before it is words; changes are of B against A, and come first.

    Holm's correction is over the cells of both that are not identical and have two seeds.
    """
    matched = match_cells(every_cell(a), every_cell(b))
    common = sorted(set(a.models["run_id"]) & set(b.models["run_id"]))
    same = identical_models(a, b, common)
    rows = _changes(matched.pairs, same)
    only = {"only_a": matched.only_a, "only_b": matched.only_b}
    alone = {side: [described(cell) for cell in cells] for side, cells in only.items()}
    _name(matched, rows, [*alone["only_a"], *alone["only_b"]])
    rows = sorted(rows, key=lambda row: row["verdict"] not in (FEWER, MORE))
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
        "fewer": verdicts.count(FEWER),
        "more": verdicts.count(MORE),
        "one_seed": verdicts.count(ONE_SEED),
        "laws": compare_laws(matched.pairs),
        "cost": {
            "cells": len(exact),
            "a": _us([pair.a for pair in exact]),
            "b": _us([pair.b for pair in exact]),
        },
    }


def _changes(pairs: Sequence[Pair], same: frozenset[str]) -> list[Data]:
    """A row for each pair, with p-values after Holm."""
    resampler = Resampler()
    rows = [_row(pair, same, resampler) for pair in pairs]
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = adjusted
        row["verdict"] = NOISE
        if adjusted < ALPHA:
            value = row["change"]["change"]  # None: from no miss at all
            row["verdict"] = FEWER if value is not None and value < 0 else MORE
    return rows


def _name(matched: Matched, rows: Sequence[Data], alone: Sequence[Data]) -> None:
    """Give each cell a title by which it is told from all others on the page."""
    cells = [cell for pair in matched.pairs for cell in (pair.a, pair.b)]
    cells += [*matched.only_a, *matched.only_b]
    named = [row[side] for row in rows for side in "ab"] + list(alone)
    titles = labels([cell.facts for cell in cells], shown=SHOWN)
    for described_cell, title in zip(named, titles, strict=True):
        described_cell["title"] = title


def _differing(a: CellResult, b: CellResult) -> list[str]:
    """The names of what differs; of one recipe's contents where its name is the same."""
    found = [name for name in DEFINING if getattr(a, name) != getattr(b, name)]
    if a.recipe == b.recipe:
        found += [name for name in differing(a.facts, b.facts) if name not in found]
    return found


def _plan(results: Results) -> dict[str, bool]:
    """Every planned model, and whether it failed."""
    runs = [member["run_id"] for cell in results.cells for member in cell["members"]]
    return {run: results.state.failed(run) for run in runs}


def _row(pair: Pair, same: frozenset[str], resampler: Resampler) -> Data:
    a, b = pair.a, pair.b
    seeds = shared_seeds(a, b)
    runs = [dict(zip(cell.models["seed"], cell.models["run_id"], strict=True)) for cell in (a, b)]
    identical = bool(seeds) and all(
        runs[0][seed] == runs[1][seed] and runs[0][seed] in same for seed in seeds
    )
    paired_by, effect = differ(a, b, resampler)
    return {
        "match": pair.match,
        "a": described(a),
        "b": described(b),
        "differing": _differing(a, b),
        "seeds_common": len(seeds),
        "paired_by": paired_by,
        "change": None if identical else row_of(effect),
        "p": None if identical else p_value(effect),
        "p_holm": None,
        "verdict": IDENTICAL if identical else ONE_SEED,
    }


def _folder(results: Results) -> Data:
    """A results folder by what it is made of."""
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
        **methods(results.models),
    }


def _us(cells: Sequence[CellResult]) -> float | None:
    """Microseconds an example of the models of these cells, evaluations included."""
    if not cells:
        return None
    models = pd.concat([cell.models for cell in cells])
    return float(1e6 * models["cpu_s"].sum() / models["examples_seen"].sum())
