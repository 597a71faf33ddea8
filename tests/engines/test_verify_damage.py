"""`scaling verify` names damage: torn files, columns of another type, plans that are none."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forging import (
    edit,
    first,
    put,
)
from honest import run, verified

from scaling.store.store import Store


def test_torn_and_missing_files_are_named(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn, missing = first(copied), first(copied, "predictions", 1)
    torn.write_bytes(torn.read_bytes()[:-9])
    missing.unlink()
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert {(f["run_id"], f["what"]) for f in found["findings"]} == {
        (None, "a file"),
        (missing.stem, "predictions"),
    }
    assert torn.name in next(f["file"] for f in found["findings"] if f["what"] == "a file")


@pytest.mark.parametrize("name", ["bench.json", "forecasts/x.json", "runs/x.json"])
def test_what_status_names_is_named(
    copied: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_text("{")
    assert run("status", copied) == 2
    assert name in "".join(capsys.readouterr())
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert [finding["file"] for finding in found["findings"]] == [name]


@pytest.mark.parametrize(
    ("kind", "column", "kind_of_value"),
    [
        ("metrics", "test_misses", pa.string()),
        ("metrics", "versions", pa.string()),
        ("metrics", "run_id", pa.int64()),
        ("metrics", "epoch", pa.string()),
        ("metrics", "created_at", pa.string()),
        ("predictions", "predicted", pa.int64()),
        ("predictions", "run_id", pa.int64()),
    ],
)
def test_a_column_of_another_type_is_a_torn_file(
    copied: Path,
    kind: str,
    column: str,
    kind_of_value: pa.DataType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = first(copied, kind)
    table = pq.read_table(path)
    values = pa.array(["x" if kind_of_value == pa.string() else 7] * len(table), kind_of_value)
    place = table.schema.get_field_index(column)
    pq.write_table(table.set_column(place, column, values), path)
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    (finding,) = (f for f in found["findings"] if f["what"] == "a file")
    assert path.name in finding["file"]
    assert any(path.name in torn.path for torn in Store(copied).state().corrupt) or column not in (
        "run_id",
        "epoch",
    )


def test_whole_numbers_of_another_size_are_read(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pq.read_table(first(copied))
    place = table.schema.get_field_index("test_misses")
    for small in (pa.int16(), pa.float64()):
        values = table["test_misses"].cast(small)
        pq.write_table(table.set_column(place, "test_misses", values), first(copied))
        assert verified(capsys, copied, "--sample", 0)[0] == 0


@pytest.mark.parametrize("depth", [200, 800, 3_000])
def test_a_plan_of_nested_brackets_is_no_traceback(copied: Path, depth: int) -> None:
    (path,) = (copied / "studies").iterdir()
    plan, nested = json.loads(path.read_text()), "[" * depth + "]" * depth
    plan["cells"][0]["recipe"]["name"] = "NESTED"
    path.write_text(json.dumps(plan).replace('"NESTED"', nested))
    assert run("verify", copied, "--sample", 0) in (1, 2)
    plan["cells"][0] = "NESTED"
    path.write_text(json.dumps(plan).replace('"NESTED"', nested))
    assert run("verify", copied, "--sample", 0) in (1, 2)
    path.write_text(json.dumps({**plan, "cells": "NESTED"}).replace('"NESTED"', nested))
    assert run("verify", copied, "--sample", 0) in (1, 2)


def test_a_failure_that_cannot_be_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = first(copied).stem
    failure = {"cell_id": "another", "run_id": run_id, "kind": "numeric", "error": "NaN"}
    Store(copied).write_failure(failure)
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert {f["what"] for f in found["findings"]} == {"cell_id", "a model that failed for good"}
    edit(copied / "failures" / f"{run_id}.parquet", put("kind", "magic"))
    assert "kind" in {f["what"] for f in verified(capsys, copied, "--sample", 0)[1]["findings"]}
