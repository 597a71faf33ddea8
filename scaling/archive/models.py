"""A published study: its results packed into one row per model, and unpacked again.

A row is that of the model's last epoch, with the earlier ones as its learning curve, the
correctness bits, and the classes of the wrong predictions only: a right prediction is the image's
label. Labels are recovered from right predictions, so no data set is needed.
Pure functions of rows; parquet_file.py has the bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.models.architecture import N_CLASSES
from scaling.store.rows import identity_columns
from scaling.store.store import pack_correct, unpack_correct
from scaling.study import cell_from_plan, members_from_plan

PER_EPOCH = (
    *("epoch", "examples_seen", "train_flop", "train_loss", "train_misses", "train_n"),
    *("val_loss", "val_misses", "val_n", "test_loss", "test_misses", "wall_s", "cpu_s"),
)
_UNKNOWN = "."  # the label of an image that no model gets right; no row needs it

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The rows of a finished model as in the Store: epochs in order, and predictions."""

    rows: tuple[Row, ...]
    prediction: Row

    @property
    def run_id(self) -> str:
        return str(self.prediction["run_id"])

    @property
    def created_at(self) -> datetime:
        moment: datetime = self.rows[-1]["created_at"]
        return moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A study's plan, its models in the order of the plan, and its final (numeric) failures."""

    plan: Row
    models: tuple[Model, ...]
    failures: tuple[Row, ...] = ()

    @property
    def created_at(self) -> datetime:
        """Return the time of the last training."""
        return max(model.created_at for model in self.models)


def pack(archive: Archive) -> tuple[list[Row], Row]:
    """Return a row for each model, and the header with their common values, for JSON.

    Raises InputError for results that contradict themselves or their plan.
    """
    rows = [_pack(model) for model in archive.models]
    header = {
        "plan": archive.plan,
        "labels": _labels(model.prediction for model in archive.models),
        "failures": [
            {**row, "created_at": row["created_at"].isoformat()} for row in archive.failures
        ],
    }
    if unpack(rows, header) != archive:
        raise InputError(
            "its rows would not be restored as they are: some columns differ between the epochs of"
            " a model; train it again"
        )
    return rows, header


def unpack(rows: Sequence[Row], header: Row) -> Archive:
    """Return the archive of rows and header: the inverse of `pack`.

    Raises InputError for rows that contradict themselves or the plan.
    """
    labels = {key: _classes(text) for key, text in header["labels"].items()}
    expected = _expected(header["plan"])
    models = tuple(_unpack(row, expected, labels) for row in rows)
    if not models or len({model.run_id for model in models}) < len(models):
        raise InputError("a model is there twice, or there are no models")
    failures = tuple(
        {**row, "created_at": datetime.fromisoformat(row["created_at"])}
        for row in header["failures"]
    )
    if any(row["run_id"] not in expected or row["kind"] != "numeric" for row in failures):
        raise InputError("a failure is of no planned model, or not numeric")
    return Archive(plan=header["plan"], models=models, failures=failures)


def latest_models(archives: Iterable[Archive]) -> dict[str, Model]:
    """Return the latest training of each model in any archive, by run_id."""
    models = [model for archive in archives for model in archive.models]
    return {model.run_id: model for model in sorted(models, key=lambda model: model.created_at)}


def merge_plans(plans: Iterable[Row]) -> dict[str, Row]:
    """Return the merged plans of each study by name: a later plan adds cells and models.

    Where plans differ, the later one holds.
    """
    found: dict[str, Row] = {}
    for plan in plans:
        earlier = found.get(plan["name"], plan)
        cells = {cell["cell_id"]: cell for cell in earlier["cells"]}
        for cell in plan["cells"]:
            members = cells.get(cell["cell_id"], cell)["members"]
            by_run = {member["run_id"]: member for member in (*members, *cell["members"])}
            cells[cell["cell_id"]] = {**cell, "members": list(by_run.values())}
        found[plan["name"]] = {**plan, "cells": list(cells.values())}
    return found


def _pack(model: Model) -> Row:
    *earlier, last = model.rows
    correct, predicted = _arrays(model.prediction)
    return {
        **last,
        "curve": [{name: row[name] for name in PER_EPOCH} for row in earlier],
        "correct": model.prediction["correct"],
        "wrong": predicted[~correct].tobytes(),
    }


def _unpack(row: Row, expected: Mapping[str, Row], labels: Mapping[str, NDArray[Any]]) -> Model:
    last = {name: value for name, value in row.items() if name not in ("curve", "correct", "wrong")}
    run_id, n_test = last["run_id"], last["n_test"]
    if run_id not in expected:
        raise InputError(f"model {run_id} is not in the plan")
    if odd := [name for name, value in expected[run_id].items() if last[name] != value]:
        raise InputError(f"model {run_id}: {', '.join(odd)} not as its identity says")
    epochs = [each["epoch"] for each in (*row["curve"], last)]
    if epochs != sorted(set(epochs)) or epochs[-1] != last["epochs"]:
        raise InputError(f"model {run_id}: epochs {epochs}, expected them in order and the last")
    correct = _bits(run_id, row["correct"], n_test)
    wrong = np.frombuffer(row["wrong"], np.uint8)
    if not len(wrong) == last["test_misses"] == np.count_nonzero(~correct):
        raise InputError(f"model {run_id}: misses, bits and wrong predictions differ in number")
    predicted = labels[last["test_set_id"]].copy()
    if len(predicted) != n_test or (predicted[correct] >= N_CLASSES).any():
        raise InputError(f"model {run_id}: labels are missing")
    if (wrong >= N_CLASSES).any() or (predicted[~correct] == wrong).any():
        raise InputError(f"model {run_id}: a wrong prediction is no class, or the image's label")
    predicted[~correct] = wrong
    prediction = {
        "run_id": run_id,
        "test_set_id": last["test_set_id"],
        "n_test": n_test,
        "correct": row["correct"],
        "predicted": predicted.tobytes(),
    }
    return Model(rows=(*({**last, **each} for each in row["curve"]), last), prediction=prediction)


def _expected(plan: Row) -> dict[str, Row]:
    """Check a plan's identities; return the columns that it determines by run_id."""
    cells = [(cell_from_plan(entry), entry) for entry in plan["cells"]]
    expected = {
        cell.run_id(member): identity_columns(cell, member)
        for cell, entry in cells
        for member in members_from_plan(cell, entry)
    }
    for name in (plan["name"], *expected):  # they name files
        if not re.fullmatch(r"[^/\\\0]+", name) or name.startswith("."):
            raise InputError(f"{name!r} cannot name a file")
    return expected


def _labels(predictions: Iterable[Row]) -> dict[str, str]:
    """Return a digit for each image of each test set, from the models that are right about it."""
    found: dict[str, NDArray[np.int64]] = {}
    for row in predictions:
        correct, predicted = _arrays(row)
        labels = found.setdefault(row["test_set_id"], np.full(len(correct), -1))
        if len(labels) != len(correct) or (correct & (labels >= 0) & (labels != predicted)).any():
            raise InputError(
                f"model {row['run_id']} is right about an image of {row['test_set_id']} with"
                " another class than the models before it: one of them is wrong"
            )
        labels[correct] = predicted[correct]
    return {
        key: "".join(_UNKNOWN if label < 0 else str(label) for label in labels)
        for key, labels in found.items()
    }


def _classes(text: str) -> NDArray[np.uint8]:
    """Return the labels of a test set; unknown ones are no class."""
    return np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(ord("0"))


def _arrays(row: Row) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Return the correctness of a model's predictions, and the predictions."""
    predicted = np.frombuffer(row["predicted"], np.uint8)
    if len(predicted) != row["n_test"] or predicted.max(initial=0) >= N_CLASSES:
        raise InputError(f"model {row['run_id']}: expected {row['n_test']} predictions from 0 to 9")
    return _bits(row["run_id"], row["correct"], row["n_test"]), predicted


def _bits(run_id: str, correct: bytes, n_test: int) -> NDArray[np.bool_]:
    """Return correctness as an array. Raises InputError for another number of bits than images."""
    if len(correct) == (n_test + 7) // 8:
        bits = unpack_correct(correct, n_test)
        if pack_correct(bits) == correct:
            return bits
    raise InputError(f"model {run_id}: expected {n_test} correctness bits and zeros to the byte")
