"""The commands that look: data sets, studies, the state of a sweep and the report."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from jobs.cli.standing import about, standing
from jobs.cli.training import cost_by, failures, name_torn
from jobs.cli.watch import watch
from jobs.studies import all_studies
from scaling.data import datasets
from scaling.data.download import Unavailable
from scaling.data.selection import Array, DatasetInfo, test_order
from scaling.errors import InputError
from scaling.progress import duration
from scaling.store.store import Store
from scaling.study import resolve


def data(a: argparse.Namespace) -> int:
    """Prepare, verify and list data sets."""
    if a.sheet and not Path(a.sheet).absolute().parent.is_dir():  # said before anything is prepared
        raise InputError(f"--sheet {a.sheet} cannot be written: there is no such folder")
    listed: list[dict[str, Any]] = []
    for name in a.names or datasets.NAMES:
        try:
            source, info = datasets.find(name)
            listed.append(
                {
                    "name": info.name,
                    "n_train": info.n_train,
                    "n_test": info.n_test,
                    "version": info.version,
                    "sha256": datasets.verify(source),
                    "note": info.note,
                    "warnings": list(info.warnings),
                    "source": source,
                }
            )
        except InputError as error:
            if a.names or not isinstance(error.__cause__, Unavailable):
                raise
            listed.append({"name": name, "missing": str(error.__cause__)})
    if a.sheet:
        from jobs.cli.sheet import draw

        draw([row["source"] for row in listed if "source" in row], a.sheet)
    if a.json:
        print(json.dumps(listed, indent=1))
    for row in [] if a.json else listed:
        print(_data_line(row))
    return 0


def studies(a: argparse.Namespace) -> int:
    """List the studies: question, cells, members, predicted cost."""
    listed, cost = [], cost_by()
    for study in all_studies():
        jobs = resolve(study, _without_preparing)
        listed.append(
            {
                "name": study.name,
                "question": study.question,
                "cells": len(jobs),
                "members": sum(len(job.members) for job in jobs),
                "predicted_core_s": round(sum(map(cost, jobs))),
            }
        )
    if a.json:
        print(json.dumps(listed, indent=1))
    for row in [] if a.json else listed:
        print(
            f"{row['name']:12} {row['question']}\n{'':12} {row['cells']} cells,"
            f" {row['members']} models, about {duration(row['predicted_core_s'])} of core time"  # type: ignore[arg-type]
        )
    return 0


def status(a: argparse.Namespace) -> int:
    """Finished, failed and missing cells of a results folder."""
    if a.watch:
        try:
            watch(Store(a.out), as_json=a.json)
        except KeyboardInterrupt:  # how one leaves
            return 0
    store = existing(a.out)
    state, plans = store.state(), store.read_plans()
    total: Counter[str] = Counter()
    planned: set[str] = set()
    for name, plan in plans.items():
        counts = state.count(plan) | state.count_models(plan)
        total.update(counts)
        planned |= {m["run_id"] for cell in plan["cells"] for m in cell["members"]}
        if not a.json:
            print(f"{name}: {counts['cells']} cells, {standing(counts)}")
            for line in (*about(plan["question"], plan["notes"]), *failures(plan, state)):
                print(f"  {line}")
    unplanned = len(state.finished - planned)
    if a.json:
        cells = ("cells", "finished", "failed", "missing", "in_part")
        models = ("models", "models_finished", "models_failed")
        more = {"unplanned": unplanned, "torn": [torn.path for torn in state.corrupt]}
        print(json.dumps({key: total[key] for key in (*cells, *models)} | more))
    elif unplanned:
        print(
            f"{unplanned} models are stored that no study here names, as those of an earlier"
            " definition: they are in no count and in no report"
        )
    elif not plans:
        print(f"{a.out}: no study is there yet")
    return name_torn(state.corrupt)


def report(a: argparse.Namespace) -> int:
    """Write report.html, report.md and numbers.json of a results folder, or compare two."""
    from analysis import api

    stores = [existing(out) for out in (a.out, a.out2) if out is not None]
    output = api.find_output(stores[0], a.html)  # before the work
    if output.unwritable:
        print(
            f"scaling: {stores[0].out} cannot be written ({output.unwritable}): only {a.html} is",
            file=sys.stderr,
        )
    results, *others = map(api.load, stores)
    for other in others:
        for path in api.write_comparison(results, other, html=a.html):
            print(path)
        return max(name_torn(results.corrupt), name_torn(other.corrupt))
    for path in api.write_report(results, html=a.html, test_images=_test_images):
        print(path)
    return name_torn(results.corrupt)


def existing(out: str) -> Store:
    """The store of a results folder that is there. Raises InputError if it is not."""
    store = Store(out)
    if not store.exists():
        raise InputError(f"{out} is no results folder: `scaling sweep STUDY --out {out}` makes one")
    return store


def _test_images(source: str, test_set_id: str, n_test: int) -> tuple[Array, Array] | None:
    """The images and labels of a test set; None where they are not to be had, or are others now."""
    try:
        loaded = datasets.load(source, 1)
    except (InputError, Unavailable):
        return None
    if loaded.info.test_set_id(n_test) != test_set_id:
        return None
    chosen = test_order(loaded.info, n_test)
    return loaded.x_test[chosen], loaded.y_test[chosen]


def _without_preparing(name: str) -> tuple[str, DatasetInfo]:
    """For listing: the sizes of mnist stand for those of `auto`."""
    source = "mnist" if name == "auto" else name
    return source, datasets.describe(source)


def _data_line(row: dict[str, Any]) -> str:
    if "missing" in row:
        return f"{row['name']:8} cannot be had: {row['missing']}"
    endless = row["n_train"] > 10**7
    n_train = "any number of" if endless else f"{row['n_train']:,}"
    line = (
        f"{row['name']:8} {n_train} training and {row['n_test']:,} test images,"
        f" sha256 {row['sha256'][:12]}, {row['note']}"
    )
    return "\n".join([line, *(f"{'':8} warning: {warning}" for warning in row["warnings"])])
