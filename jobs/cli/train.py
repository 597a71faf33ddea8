"""The command `train`: one cell in this process, without Ray."""

import argparse
import io
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from jobs.cli.arguments import whole, whole_or_all
from jobs.cli.output import print_note
from jobs.planning.cost import PlannedJob, plan_job
from scaling import engines
from scaling.data import datasets
from scaling.engines import Evaluation, NumericFailure, Trained
from scaling.errors import InputError
from scaling.models.architecture import MODEL
from scaling.models.registry import MODELS
from scaling.progress import duration
from scaling.recipes.registry import ALIASES, RECIPES, find_recipe
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Cell, Job, Member, Study, evaluated_epochs, make_cell, make_members, plan


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--dataset", default="auto", metavar="D")
    p.add_argument("--n-train", type=whole, default=7291, metavar="N")
    p.add_argument("--n-test", type=whole_or_all, default="all", metavar="N|all")
    p.add_argument("--split", choices=("none", "tune"), default="none")
    p.add_argument("--width", type=float, default=1.0, metavar="W")
    p.add_argument("--recipe", default="1989", metavar="R", help=", ".join([*RECIPES, *ALIASES]))
    p.add_argument("--model", choices=tuple(MODELS), default=MODEL)
    p.add_argument("--epochs", type=whole, metavar="E", help="in place of the recipe's")
    p.add_argument("--batch-size", type=whole, metavar="B", help="in place of the recipe's")
    p.add_argument("--lr", type=float, help="in place of the recipe's")
    p.add_argument("--weight-decay", type=float, help="in place of the recipe's")
    p.add_argument("--seeds", type=whole, default=1, metavar="K", help="seeds 0 to K-1")
    p.add_argument("--engine", choices=engines.NAMES)
    p.add_argument("--device", choices=engines.DEVICES, default="cpu")
    p.add_argument("--out", metavar="DIR", help="store the results there")
    p.add_argument("--save-weights", action="store_true", help="into DIR/weights")


def run(args: argparse.Namespace) -> int:
    """Train one cell in this process, without Ray, and print a line for each epoch."""
    if args.save_weights and not args.out:
        raise InputError("--save-weights needs --out DIR: the weights go into DIR/weights")
    base = find_recipe(args.recipe)
    recipe = replace(
        base,
        epochs=args.epochs or base.epochs,
        batch_size=args.batch_size or base.batch_size,
        weight_decay=base.weight_decay if args.weight_decay is None else args.weight_decay,
    )
    source, info = datasets.find(args.dataset)
    cell = make_cell(
        info,
        recipe,
        n_train=args.n_train,
        n_test=args.n_test,
        split=args.split,
        width=args.width,
        model=args.model,
    )
    job = Job(
        cell=cell,
        members=make_members(recipe, range(args.seeds), args.lr),
        source=source,
        note=info.full_note,
    )
    planned = plan_job(job, args.device, args.engine)
    store = Store(args.out) if args.out else None
    if store:
        store.check_writable()
        store.write_plan(_with_earlier_cells(store, planned))
    size = cell.sizes
    print_note(info.name, job.note)
    print(
        f"{cell.n_train:,} training images, {cell.n_test:,} test images; recipe {recipe.name},"
        f" {recipe.epochs} epochs; {cell.model}, width {cell.width:g}:"
        f" {size.n_params:,} parameters, {size.n_macs:,} MACs;"
        f" predicted {duration(planned.seconds)} on {args.device}"
    )
    failed = 0
    for result in engines.train(
        cell,
        job.members,
        datasets.load(source, cell.n_train),
        engine=planned.engine,
        device=planned.device,
        epochs_evaluated=evaluated_epochs(recipe.epochs, every=True),
        observe=lambda member, evaluation: _print_epoch(cell, member, evaluation),
    ):
        if isinstance(result, NumericFailure):
            failed += 1
            print(f"scaling: seed {result.member.seed} failed: {result.error}", file=sys.stderr)
        if store:
            _store(store, cell, result, weights=args.save_weights)
    return 1 if failed else 0


def _print_epoch(cell: Cell, member: Member, evaluation: Evaluation) -> None:
    """Print a line for each split, in the words of the 2022 reproduction."""
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


def _with_earlier_cells(store: Store, planned: PlannedJob) -> dict[str, Any]:
    """Return the plan `train` of a results folder, with one more cell, or more models in one."""
    study = Study(name="train", question="Cells trained one by one with `scaling train`", grids=())
    new = plan(study, [planned.job], [planned.seconds])
    (cell,) = new["cells"]
    earlier = store.read_plans().get("train", {"cells": []})
    members = {member["run_id"]: member for member in cell["members"]}
    kept = []
    for before in earlier["cells"]:
        if before["cell_id"] == cell["cell_id"]:
            members = {member["run_id"]: member for member in before["members"]} | members
        else:
            kept.append(before)
    cell["predicted_s"] = round(planned.seconds * len(members) / len(planned.job.members), 3)
    cell["members"] = list(members.values())
    return {**new, "cells": [*kept, cell]}
