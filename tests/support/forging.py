"""Change one thing in a results folder, for tests of `scaling verify`."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scaling.store.digest import open_json, seal_json
from scaling.store.store import pack_correct, unpack_correct

Change = Callable[[list[dict[str, Any]]], object]


def edit(path: Path, change: Change, to: Path | None = None) -> None:
    """Change the rows of a file of results."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), to or path)


def edit_plan(out: Path, change: Callable[[dict[str, Any]], object]) -> None:
    (path,) = (out / "studies").iterdir()
    plan = open_json(path.read_bytes())
    change(plan)
    path.write_bytes(seal_json(plan))


def first(out: Path, kind: str = "metrics", number: int = 0) -> Path:
    return sorted((out / kind).iterdir())[number]


def put(name: str, value: Any, row: int = -1) -> Change:
    """Write another value into one row."""

    def change(rows: list[dict[str, Any]]) -> None:
        value_of_row = value(rows[row][name]) if callable(value) else value
        assert value_of_row != rows[row][name], "nothing was forged"
        rows[row][name] = value_of_row

    return change


def put_all(name: str, value: Any) -> Change:
    """Write the same value into all rows."""

    def change(rows: list[dict[str, Any]]) -> None:
        for row in range(len(rows)):
            put(name, value, row)(rows)

    return change


def other_class(wrong: bool) -> Change:
    """Write another prediction for one image: another wrong class, or one for the right."""

    def change(rows: list[dict[str, Any]]) -> None:
        (row,) = rows
        correct = unpack_correct(row["correct"], row["n_test"])
        image = int(np.flatnonzero(correct != wrong)[0])
        predicted = np.frombuffer(row["predicted"], np.uint8).copy()
        predicted[image] = (predicted[image] + 9) % 10 if predicted[image] != 0 else 9
        row["predicted"] = predicted.tobytes()

    return change


def flip_bit(rows: list[dict[str, Any]]) -> None:
    """Make one image more or less correct."""
    (row,) = rows
    correct = unpack_correct(row["correct"], row["n_test"])
    correct[3] = not correct[3]
    row["correct"] = pack_correct(correct)


def miss_more(out: Path, run_id: str, count: int) -> None:
    """Add misses in rows, bits and predictions alike: only training detects them."""

    def in_bits(rows: list[dict[str, Any]]) -> None:
        (row,) = rows
        correct = unpack_correct(row["correct"], row["n_test"])
        images = np.flatnonzero(correct)[:count]
        assert len(images) == count
        correct[images] = False
        predicted = np.frombuffer(row["predicted"], np.uint8).copy()
        predicted[images] = (predicted[images] + 1) % 10
        row["correct"], row["predicted"] = pack_correct(correct), predicted.tobytes()

    edit(out / "predictions" / f"{run_id}.parquet", in_bits)
    edit(out / "metrics" / f"{run_id}.parquet", put("test_misses", lambda misses: misses + count))


def digests(out: Path) -> dict[str, str]:
    """Return a state that changes when anything in a folder does."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }
