"""The commands that train: one cell here (`train`), a study on Ray (`sweep`)."""

import argparse
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from jobs.cli.arguments import chosen_seeds
from jobs.cli.standing import about, models_line
from jobs.planning.batches import Slots
from jobs.planning.cluster_forecast import Price, parse_cluster, parse_price
from jobs.planning.dry_run import dry_run, on_cluster
from jobs.studies import find_study
from scaling import engines
from scaling.data import datasets
from scaling.data.selection import WARNING
from scaling.engines import Evaluation, NumericFailure, Trained
from scaling.errors import InputError
from scaling.progress import duration
from scaling.recipes.registry import find_recipe
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import CorruptFile, State, Store
from scaling.study import (
    Cell,
    Job,
    Member,
    Study,
    evaluated_epochs,
    make_cell,
    make_members,
    plan,
    predicted_seconds,
    resolve,
)


def cost_by(engine: str | None = None, device: str = "cpu") -> Callable[[Job], float]:
    """What predicts a job's core seconds with this engine, or with the one that will be chosen."""
    us = partial(engines.us_per_example, engine=engine, device=device)
    return partial(predicted_seconds, us_per_example=us)


def print_note(name: str, note: str) -> None:
    """Print where a data set is from, and below it a line for each warning."""
    print(f"{name}: {note}".replace(WARNING, "\n  warning: "), flush=True)


def train(a: argparse.Namespace) -> int:
    """Train one cell in this process, without Ray, and print a line for each epoch."""
    if a.save_weights and not a.out:
        raise InputError("--save-weights needs --out DIR: the weights go into DIR/weights")
    base = find_recipe(a.recipe)
    recipe = replace(
        base,
        epochs=a.epochs or base.epochs,
        batch_size=a.batch_size or base.batch_size,
        weight_decay=base.weight_decay if a.weight_decay is None else a.weight_decay,
    )
    source, info = datasets.find(a.dataset)
    cell = make_cell(
        info,
        recipe,
        n_train=a.n_train,
        n_test=a.n_test,
        split=a.split,
        width=a.width,
        model=a.model,
    )
    job = Job(
        cell=cell,
        members=make_members(recipe, range(a.seeds), a.lr),
        source=source,
        note=info.full_note,
    )
    engines.choose(cell, a.engine, a.device)
    seconds = cost_by(a.engine, a.device)(job)
    store = Store(a.out) if a.out else None
    if store:
        store.check_writable()
        store.write_plan(_trained_by_hand(store, job, seconds))
    size = cell.sizes
    print_note(info.name, job.note)
    print(
        f"{cell.n_train:,} training images, {cell.n_test:,} test images; recipe {recipe.name},"
        f" {recipe.epochs} epochs; {cell.model}, width {cell.width:g}:"
        f" {size.n_params:,} parameters, {size.n_macs:,} MACs;"
        f" predicted {duration(seconds)} on {a.device}"
    )
    failed = 0
    for result in engines.train(
        cell,
        job.members,
        datasets.load(source, cell.n_train),
        engine=a.engine,
        device=a.device,
        epochs_evaluated=evaluated_epochs(recipe.epochs, every=True),
        observe=lambda member, evaluation: _print_epoch(cell, member, evaluation),
    ):
        if isinstance(result, NumericFailure):
            failed += 1
            print(f"scaling: seed {result.member.seed} failed: {result.error}", file=sys.stderr)
        if store:
            _store(store, cell, result, weights=a.save_weights)
    return 1 if failed else 0


def sweep(a: argparse.Namespace) -> int:
    """Train the models of a study on Ray; what is stored already is not trained again."""
    study = overridden(a)
    if not (a.out or a.dry_run):
        raise InputError("sweep needs --out DIR or URI, where the results go (or --dry-run)")
    cluster, price = _asked_cluster(a)
    jobs = resolve(study, datasets.find)
    for name, note in dict.fromkeys((job.cell.dataset, job.note) for job in jobs):
        print_note(f"data set {name}", note)
    for line in about(study.question, study.notes):
        print(f"{study.name}: {line}", flush=True)
    devices = ("cpu", "cuda") if a.device == "auto" else (a.device,)
    for job, device in product(jobs, devices):
        engines.choose(job.cell, a.engine, device)
    store, cost = Store(a.out) if a.out else None, cost_by(a.engine, devices[0])
    if a.dry_run:
        left = dry_run(study, jobs, cost, store.state() if store else None, a.cpus)
        if cluster:
            print("\n".join(on_cluster(left, cluster, price, a.engine, a.device)))
        return 0
    assert store is not None

    from jobs.execution.sweep import Options  # Ray takes a second to import: only when it is used
    from jobs.execution.sweep import sweep as run

    options = Options(
        address=a.address,
        cpus=a.cpus,
        device=a.device,
        engine=a.engine,
        retry_failed=a.retry_failed,
        shared_fs=a.shared_fs,
        track=a.track,
    )
    say, gpu_cost = partial(print, flush=True), cost_by(a.engine, devices[-1])
    state = run(study, jobs, cost, store, options, say, a.command, gpu_cost)
    return closing(plan(study, jobs, [0.0] * len(jobs)), state, a.out)


def _asked_cluster(a: argparse.Namespace) -> tuple[Slots | None, Price | None]:
    """What --cluster and --price say. Raises InputError where they do not belong."""
    if a.cluster and not a.dry_run:
        raise InputError("--cluster is for planning only: say --dry-run as well")
    if a.price and not a.cluster:
        raise InputError("--price is of a cluster: say --cluster '64 cpu, 8 gpu' as well")
    return a.cluster and parse_cluster(a.cluster), a.price and parse_price(a.price)


def submit(a: argparse.Namespace) -> int:
    """Run a study on a Ray cluster as a job, the same as `ray job submit`."""
    from jobs.submission.submit import submit as run  # Ray takes a second to import

    return run(a)


def overridden(a: argparse.Namespace) -> Study:
    """The study of the command line, with the axes that it replaces."""
    return find_study(a.study).override(
        dataset=_axis(a.dataset),
        n_train=_axis(a.n_train),
        n_test=_axis(a.n_test),
        width=_axis(a.width),
        model=_axis(a.model),
        recipe=_axis(a.recipe),
        seeds=chosen_seeds(a.seeds),
        epochs=_axis(a.epochs),
    )


def closing(plan: dict[str, Any], state: State, out: str) -> int:
    """Say how a plan stands and name what failed; the exit status."""
    counts = state.count(plan) | state.count_models(plan)
    for line in failures(plan, state):
        print(f"scaling: {line}", file=sys.stderr)
    print(
        f"{plan['name']}: {counts['finished']} of {counts['cells']} cells finished,"
        f" {counts['failed']} failed, {counts['missing']} missing, in {out}{models_line(counts)}"
    )
    return name_torn(state.corrupt) or (1 if counts["failed"] or counts["missing"] else 0)


def failures(plan: dict[str, Any], state: State) -> list[str]:
    """A line for each model of a plan that failed."""
    return [
        f"{member['run_id']} failed ({state.failures[member['run_id']]['kind']}):"
        f" {state.failures[member['run_id']]['error']}"
        for cell in plan["cells"]
        for member in cell["members"]
        if state.failed(member["run_id"])
    ]


def name_torn(torn: tuple[CorruptFile, ...]) -> int:
    """Name files that cannot be read, one line each; the exit status."""
    for file in torn:
        print(
            f"scaling: {file}; everything else was read; delete it, or run the sweep again and"
            " its model is trained anew",
            file=sys.stderr,
        )
    return 2 if torn else 0


def _print_epoch(cell: Cell, member: Member, evaluation: Evaluation) -> None:
    """A line a split, in the words of the 2022 reproduction."""
    parts = [("train", evaluation.train), ("val", evaluation.val), ("test", evaluation.test)]
    for split, score in parts:
        if score is None:
            continue
        sample = f" of the first {score.n:,}" if split == "train" and score.n < cell.n_train else ""
        print(
            f"epoch {evaluation.epoch:2}/{cell.recipe.epochs}  seed {member.seed}  split {split:5}"
            f"  loss {score.loss:.6e}  error {score.misses / score.n:6.2%}"
            f"  misses: {score.misses}{sample}",
            flush=True,
        )


def _store(store: Store, cell: Cell, result: Trained | NumericFailure, *, weights: bool) -> None:
    if isinstance(result, NumericFailure):
        store.write_failure(failure_row(cell, result))
        return
    store.write_model(metric_rows("train", cell, result), prediction_row(cell, result))
    if weights:
        body = io.BytesIO()
        np.savez(body, **result.weights)  # type: ignore[arg-type]
        store.write_file(f"weights/{cell.run_id(result.member)}.npz", body.getvalue())


def _trained_by_hand(store: Store, job: Job, seconds: float) -> dict[str, Any]:
    """The plan `train` of a results folder, with one more cell, or more models in one."""
    study = Study(name="train", question="Cells trained one by one with `scaling train`", grids=())
    new = plan(study, [job], [seconds])
    (cell,) = new["cells"]
    earlier = store.read_plans().get("train", {"cells": []})
    members = {member["run_id"]: member for member in cell["members"]}
    kept = []
    for before in earlier["cells"]:
        if before["cell_id"] == cell["cell_id"]:
            members = {member["run_id"]: member for member in before["members"]} | members
        else:
            kept.append(before)
    cell["predicted_s"] = round(seconds * len(members) / len(job.members), 3)
    cell["members"] = list(members.values())
    return {**new, "cells": [*kept, cell]}


def _axis(values: list[Any] | None) -> tuple[Any, ...] | None:
    return tuple(dict.fromkeys(values)) if values else None
