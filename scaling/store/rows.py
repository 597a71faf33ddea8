"""The stored rows of a trained model."""

import os
import socket
import subprocess
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scaling.engines.result import NumericFailure, Score, Trained
from scaling.engines.versions import engine_versions
from scaling.store.store import SCHEMA_VERSION, now, pack_correct
from scaling.study import Cell, Member


def metric_rows(study: str, cell: Cell, trained: Trained) -> list[dict[str, Any]]:
    """Return a row of OUT/metrics for each evaluated epoch."""
    sizes, where = cell.sizes, provenance()
    common = {
        **identity_columns(cell, trained.member),
        "study": study,
        "engine": trained.engine,
        "device": trained.device,
        "created_at": now(),
        **where,
        "versions": [*where["versions"], *engine_versions(trained.engine, cell).items()],
    }
    return [
        common
        | {
            "epoch": evaluation.epoch,
            "examples_seen": evaluation.examples_seen,
            "train_flop": float(sizes.train_flop(evaluation.examples_seen)),
            **_columns("train", evaluation.train),
            **_columns("val", evaluation.val),
            **_columns("test", evaluation.test),
            "wall_s": evaluation.wall_s,
            "cpu_s": evaluation.cpu_s,
        }
        for evaluation in trained.history
    ]


def identity_columns(cell: Cell, member: Member) -> dict[str, Any]:
    """Return the columns of a model's rows that follow from its cell and member.

    Raises InputError for a model that this version of the package does not have.
    """
    counts = {"n_params": cell.sizes.n_params, "n_macs": cell.sizes.n_macs}
    return planned_columns(cell, member) | counts


def planned_columns(cell: Cell, member: Member) -> dict[str, Any]:
    """Return the columns that a plan determines, without counting parameters."""
    return {
        "run_id": cell.run_id(member),
        "cell_id": cell.cell_id,
        "dataset": cell.dataset,
        "test_set_id": cell.test_set_id,
        "split": cell.split,
        "n_train": cell.n_train,
        "n_test": cell.n_test,
        "width": cell.width,
        "recipe": cell.recipe.name,
        "tricks": [name for name, _ in cell.recipe.tricks],
        "model": cell.model,
        **asdict(member),
        "batch_size": cell.recipe.batch_size,
        "epochs": cell.recipe.epochs,
    }


def prediction_row(cell: Cell, trained: Trained) -> dict[str, Any]:
    """Return the row of OUT/predictions: the model's final prediction of each test image."""
    return {
        "run_id": cell.run_id(trained.member),
        "test_set_id": cell.test_set_id,
        "n_test": cell.n_test,
        "correct": pack_correct(trained.correct),
        "predicted": trained.predicted.tobytes(),
    }


def failure_row(cell: Cell, failure: NumericFailure) -> dict[str, Any]:
    """Return the row of OUT/failures."""
    return {
        "cell_id": cell.cell_id,
        "run_id": cell.run_id(failure.member),
        "kind": "numeric",
        "error": failure.error,
    }


def _columns(part: str, score: Score | None) -> dict[str, Any]:
    if score is None:
        return {}  # null in the table
    columns = {f"{part}_loss": score.loss, f"{part}_misses": score.misses, f"{part}_n": score.n}
    if part == "test":
        del columns["test_n"]
    return columns


@cache
def provenance() -> dict[str, Any]:
    """Return the columns on machine and code, which are not part of an identity."""
    return {
        "git_commit": _git_commit(),
        "host": socket.gethostname(),
        "versions": list(_versions().items()),
        "schema_version": SCHEMA_VERSION,
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in ("scaling-study", "torch", "numpy", "numba", "ray"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """Return the commit of this code, with a + if files differ from it; None outside a repository.

    Code sent to a cluster has no repository there; SCALING_GIT_COMMIT names its commit.
    """
    if commit := os.environ.get("SCALING_GIT_COMMIT"):
        return commit
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            [
                "git",
                "-C",
                str(here),
                "describe",
                "--always",
                "--abbrev=40",
                "--dirty=+",
                "--match=",
            ],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
