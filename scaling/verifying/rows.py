"""A model's rows compared with each other and with its plan."""

import math
from typing import Any

from scaling.engines import DEVICES, NAMES
from scaling.engines.training import TRAIN_SAMPLE
from scaling.errors import InputError
from scaling.store.rows import planned_columns
from scaling.store.store import SCHEMA_VERSION
from scaling.verifying.folder import Row, StoredModel
from scaling.verifying.ledger import PLANNED, ROWS, Ledger, Page
from scaling.verifying.plans import Planned

# Columns that differ between the epochs of a model; all others are the same in all its rows.
BY_EPOCH = (
    "epoch",
    "examples_seen",
    "train_flop",
    "train_n",
    "wall_s",
    "cpu_s",
    *(f"{part}_{what}" for part in ("train", "val", "test") for what in ("loss", "misses")),
)


def check_rows(model: StoredModel, ledger: Ledger) -> None:
    """Check that the rows of a model can be those of one training."""
    ledger.count(ROWS)
    page = ledger.about(ROWS, model.run_id, model.metrics_file)
    last = model.last
    for name in sorted(last.keys() - set(BY_EPOCH)):
        others = [row[name] for row in model.rows if row[name] != last[name]]
        if others:
            page.fail(f"{name} in the rows of one model", others[0], last[name])
    epochs = [row["epoch"] for row in model.rows]
    if not _whole(*epochs, last["epochs"], last["n_train"], last["n_test"]):
        numbers = (epochs, last["epochs"], last["n_train"], last["n_test"])
        page.fail("epoch, epochs, n_train, n_test", numbers, "whole numbers")
        return
    if epochs != sorted(set(epochs)) or epochs[0] < 1:
        page.fail("epochs evaluated", epochs, "ascending from 1 or later")
    page.equal("last epoch evaluated", epochs[-1], last["epochs"])
    if last["engine"] not in NAMES:
        page.fail("engine", last["engine"], f"one of {', '.join(NAMES)}")
    if last["device"] not in DEVICES:
        page.fail("device", last["device"], f"one of {', '.join(DEVICES)}")
    if not _whole(last["schema_version"]) or not 1 <= last["schema_version"] <= SCHEMA_VERSION:
        page.fail("schema_version", last["schema_version"], f"1 to {SCHEMA_VERSION}")
    for row in model.rows:
        _check_row(row, page)


def _check_row(row: Row, page: Page) -> None:
    at = f"of epoch {row['epoch']}"
    n_train, final = row["n_train"], row["epoch"] == row["epochs"]
    page.equal(f"examples_seen {at}", row["examples_seen"], row["epoch"] * n_train)
    page.equal(f"train_n {at}", row["train_n"], n_train if final else min(n_train, TRAIN_SAMPLE))
    _check_score(row, "train", row["train_n"], page)
    _check_score(row, "test", row["n_test"], page)
    validated = [row[f"val_{what}"] for what in ("loss", "misses", "n")]
    if row["split"] == "none":
        page.equal(f"val_loss, val_misses, val_n {at}", validated, [None] * 3)
    else:
        _check_score(row, "val", row["val_n"], page)
    for name in ("wall_s", "cpu_s"):
        if not _finite(row[name]):
            page.fail(f"{name} {at}", row[name], "a number of seconds from 0")


def _check_score(row: Row, part: str, n: Any, page: Page) -> None:
    at = f"of epoch {row['epoch']}"
    loss, misses = row[f"{part}_loss"], row[f"{part}_misses"]
    if not _finite(loss):
        page.fail(f"{part}_loss {at}", loss, "a finite number from 0")
    if not _whole(misses, n) or not 0 <= misses <= n:
        page.fail(f"{part}_misses {at}", misses, f"a whole number from 0 to {n}")


def check_against_plan(model: StoredModel, planned: Planned, ledger: Ledger) -> None:
    """Check each column that the plan determines."""
    ledger.count(PLANNED)
    page = ledger.about(PLANNED, model.run_id, model.metrics_file)
    cell = planned.cell
    expected = planned_columns(cell, planned.member)
    try:
        sizes = cell.sizes
    except InputError as error:  # a model of another version of this package, or of the user
        ledger.note(f"{model.run_id}: n_params, n_macs and train_flop were not checked ({error})")
    else:
        expected |= {"n_params": sizes.n_params, "n_macs": sizes.n_macs}
        for row in model.rows:
            if _whole(row["examples_seen"]):
                flop = float(sizes.train_flop(row["examples_seen"]))
                page.equal(f"train_flop of epoch {row['epoch']}", row["train_flop"], flop)
    for name, value in expected.items():
        page.equal(name, model.last[name], value)


def _whole(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def _finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value >= 0
