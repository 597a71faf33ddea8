"""Test the Parquet files: columns of the contract, atomic writes, torn files, other readers."""

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import binding

from scaling.data.selection import Dataset
from scaling.engines import train
from scaling.engines.versions import VERSIONS, engine_versions, processor
from scaling.errors import InputError
from scaling.recipes.registry import find_recipe
from scaling.store import retries
from scaling.store import store as store_module
from scaling.store.places import Disk
from scaling.store.rows import metric_rows, prediction_row
from scaling.store.store import Store, WriteError, pack_correct, unpack_correct
from scaling.study import Cell, evaluated_epochs, make_cell, make_members

METRICS = """run_id, cell_id, study, dataset, test_set_id, split, n_train, n_test, width, recipe,
tricks, model, engine, device, seed, lr, weight_decay, batch_size, epochs, epoch, examples_seen,
train_flop, n_params, n_macs, train_loss, train_misses, train_n, val_loss, val_misses, val_n,
test_loss, test_misses, wall_s, cpu_s, created_at, git_commit, host, versions, schema_version"""


@pytest.fixture
def filled(tmp_path: Path, random_data: Dataset) -> tuple[Store, Cell]:
    """Store two models of one cell."""
    recipe = replace(find_recipe("modern"), epochs=3)
    cell = make_cell(random_data.info, recipe, n_train=20, n_test=50)
    store = Store(tmp_path / "out")
    store.check_writable()
    members = make_members(recipe, (0, 1))
    for trained in train(cell, members, random_data, epochs_evaluated=evaluated_epochs(3)):
        store.write_model(metric_rows("a study", cell, trained), prediction_row(cell, trained))  # type: ignore[arg-type]
    return store, cell


def test_the_columns_are_the_contracts(filled: tuple[Store, Cell]) -> None:
    for path in (filled[0].root / "metrics").iterdir():
        assert pq.read_schema(path).names == [name.strip() for name in METRICS.split(",")]
    for path in (filled[0].root / "predictions").iterdir():
        names = pq.read_schema(path).names
        assert names == ["run_id", "test_set_id", "n_test", "correct", "predicted"]


def test_what_is_written_is_what_was_trained(filled: tuple[Store, Cell]) -> None:
    store, cell = filled
    table = store.read("metrics").table.to_pandas()
    assert len(table) == 2 * 3
    assert set(table["n_params"]) == {9760}
    assert set(table["n_macs"]) == {63660}
    last = table[table["epoch"] == 3]
    assert set(last["train_flop"]) == {6 * 63660 * 60}
    assert list(last["tricks"].iloc[0]) == ["cross_entropy", "adamw", "shift", "dropout", "relu"]
    assert table["val_misses"].isna().all()
    assert table["val_n"].isna().all()
    for row in store.read("predictions").table.to_pylist():
        wrong = ~unpack_correct(row["correct"], row["n_test"])
        assert wrong.sum() == int(last.set_index("run_id")["test_misses"][row["run_id"]])
        assert len(row["predicted"]) == row["n_test"] == cell.n_test


def test_rows_say_by_which_engine_on_which_processor(filled: tuple[Store, Cell]) -> None:
    said = [
        dict(row) for row in filled[0].read("metrics", ["versions"]).table["versions"].to_pylist()
    ]
    assert all(row["engine"] == str(VERSIONS["compiled"]) for row in said)
    assert {row["processor"] for row in said} == {binding.get_host_cpu_name()}
    assert {"torch", "numpy", "numba"} <= said[0].keys()
    assert "threads" not in said[0]  # the compiled engine sums nothing by PyTorch


@pytest.mark.parametrize(
    ("engine", "recipe"),
    [("reference", "1989"), ("population", "1989"), ("compiled", "second_order")],
)
def test_rows_say_the_threads_that_sums_depend_on(
    random_data: Dataset, engine: str, recipe: str
) -> None:
    cell = make_cell(random_data.info, replace(find_recipe(recipe), epochs=1), n_train=3, n_test=2)
    said = engine_versions(engine, cell)
    assert (said["engine"], said["threads"]) == (str(VERSIONS[engine]), "1")


def test_the_processor_is_the_one_that_code_is_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CPU_NAME", "znver2")
    assert processor("compiled") == "znver2"
    assert processor("population") == binding.get_host_cpu_name()  # PyTorch does not obey it


def test_without_llvmlite_the_processor_is_left_out(
    random_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    cell = make_cell(random_data.info, find_recipe("1989"), n_train=3, n_test=2)
    assert engine_versions("reference", cell) == {
        "engine": str(VERSIONS["reference"]),
        "threads": "1",
    }


def test_pandas_polars_and_duckdb_read_the_folder_as_one_table(filled: tuple[Store, Cell]) -> None:
    folder = filled[0].root / "metrics"
    by_pandas = pd.read_parquet(folder)
    by_polars = pl.read_parquet(folder)
    by_glob = pl.read_parquet(folder / "*.parquet")
    query = f"select sum(test_misses), count(*) from '{folder}/*.parquet'"
    by_duckdb = duckdb.sql(query).fetchall()
    misses = by_pandas["test_misses"].sum()
    assert misses == by_polars["test_misses"].sum() == by_glob["test_misses"].sum()
    assert by_duckdb == [(misses, 6)]


def test_writing_a_model_twice_does_not_double_it(filled: tuple[Store, Cell]) -> None:
    store, cell = filled
    rows = store.read("metrics").table.to_pylist()
    prediction = store.read("predictions").table.to_pylist()[0]
    store.write_model([r for r in rows if r["run_id"] == prediction["run_id"]], prediction)
    assert len(store.read("metrics").table) == 6
    assert len(store.state().finished) == 2
    del cell


def test_a_torn_file_is_named_and_the_rest_is_read(filled: tuple[Store, Cell]) -> None:
    store, _ = filled
    path = sorted((store.root / "metrics").iterdir())[0]
    path.write_bytes(path.read_bytes()[:-40])
    read = store.read("metrics")
    assert [torn.path for torn in read.corrupt] == [str(path)]
    assert len(read.table) == 3
    assert "\n" not in str(read.corrupt[0])
    assert store.state().corrupt == read.corrupt
    assert len(store.state().finished) == 1


@pytest.mark.parametrize("body", [b"", b"PAR1", b"hello"])
def test_other_broken_files_are_torn_too(filled: tuple[Store, Cell], body: bytes) -> None:
    store, _ = filled
    (store.root / "predictions" / "x.parquet").write_bytes(body)
    assert len(store.read("predictions").corrupt) == 1


def test_parquet_of_somebody_else_is_named_as_such(filled: tuple[Store, Cell]) -> None:
    store, _ = filled
    pd.DataFrame({"a": [1]}).to_parquet(store.root / "metrics" / "other.parquet")
    (torn,) = store.read("metrics").corrupt
    assert "run_id" in torn.error


def test_a_model_without_its_predictions_is_not_finished(filled: tuple[Store, Cell]) -> None:
    store, _ = filled
    next((store.root / "predictions").iterdir()).unlink()
    assert len(store.state().finished) == 1


def test_what_is_finished_is_known_without_reading_rows(
    filled: tuple[Store, Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, cell = filled
    runs = {row["run_id"] for row in store.read("metrics").table.to_pylist()}
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("rows were read"))
    assert store.state().finished == runs
    assert all(run.startswith(cell.cell_id.rpartition("-")[0]) for run in runs)


def test_a_file_of_several_models_is_looked_into(filled: tuple[Store, Cell]) -> None:
    """Merge many small files into one, as a user may do."""
    store, _ = filled
    runs = store.state().finished
    for kind in ("metrics", "predictions"):
        table = pd.read_parquet(store.root / kind)
        for path in (store.root / kind).iterdir():
            path.unlink()
        if kind == "metrics":  # one of them was cut short
            table = table[(table["epoch"] < 3) | (table["run_id"] == max(runs))]
        table.to_parquet(store.root / kind / "all.parquet")
    assert store.state().finished == {max(runs)}


def test_a_model_that_was_cut_short_is_not_finished(filled: tuple[Store, Cell]) -> None:
    store, _ = filled
    rows = store.read("metrics").table.to_pylist()
    first = rows[0]["run_id"]
    early = [r for r in rows if r["run_id"] == first and r["epoch"] < 3]
    prediction = next(
        r for r in store.read("predictions").table.to_pylist() if r["run_id"] == first
    )
    store.write_model(early, prediction)
    assert first not in store.state().finished


def test_a_write_that_fails_leaves_what_was_there(
    filled: tuple[Store, Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = filled
    before = store.read("metrics").table
    prediction = store.read("predictions").table.to_pylist()[0]
    rows = [r for r in before.to_pylist() if r["run_id"] == prediction["run_id"]]

    def full(self: Disk, path: str, body: bytes) -> None:  # noqa: ARG001
        Path(path).write_bytes(memoryview(body)[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Disk, "create", full)
    monkeypatch.setattr(retries, "WAITS_S", (0, 0))
    with pytest.raises(WriteError, match=r"No space left.*run the same command again"):
        store.write_model(rows, prediction)
    monkeypatch.undo()
    assert store.read("metrics").table.equals(before)
    assert not store.read("predictions").corrupt
    assert not list((store.root / ".part").iterdir())


def test_a_write_is_tried_again_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, create, waited = [], Disk.create, list[float]()

    def full_at_first(self: Disk, path: str, body: bytes) -> None:
        tries.append(path)
        if len(tries) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        create(self, path, body)

    monkeypatch.setattr(Disk, "create", full_at_first)
    monkeypatch.setattr("time.sleep", waited.append)
    store = Store(tmp_path)
    store.write_file("notes/a.txt", b"a")
    assert (store.read_file("notes/a.txt"), len(tries)) == (b"a", 3)
    assert waited == sorted(waited) == list(retries.WAITS_S[:2])
    assert not list((tmp_path / ".part").iterdir())


def test_what_trying_again_cannot_mend_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited for nothing"))
    (tmp_path / "notes").write_text("a file where a folder should be")
    with pytest.raises(WriteError, match="notes"):
        Store(tmp_path).write_file("notes/a.txt", b"a")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as error:
        Store(tmp_path / "file" / "out").check_writable()
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="expected a folder or a URI"):
        Store("gopher://host/path")


def test_failures_count_until_the_model_is_finished(filled: tuple[Store, Cell]) -> None:
    store, cell = filled
    finished = next(iter(store.state().finished))
    for run_id in (finished, "another"):
        store.write_failure(
            {"cell_id": cell.cell_id, "run_id": run_id, "kind": "numeric", "error": "NaN"}
        )
    state = store.state()
    assert not state.failed(finished)
    assert state.failed("another", "numeric")
    assert not state.failed("another", "infrastructure")


def test_a_plan_that_is_no_plan_is_one_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_plan({"name": "a", "cells": []})
    assert store.read_plans()["a"]["cells"] == []
    (tmp_path / "studies" / "a.json").write_text(json.dumps({"name": "a"})[:-3])
    with pytest.raises(InputError, match=r"a.json is not a study's plan"):
        store.read_plans()


@pytest.mark.parametrize("body", ['{"name": 7}', '{"name": null}', "[" * 100_000, "[]", "7"])
def test_json_that_is_no_plan_is_one_line(tmp_path: Path, body: str) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "a.json").write_text(body)
    with pytest.raises(InputError, match=r"a.json is not a study's plan") as error:
        Store(tmp_path).read_plans()
    assert len(str(error.value)) < 400


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_correctness_bits_come_back(bits: list[bool]) -> None:
    array = np.array(bits)
    packed = pack_correct(array)
    assert (unpack_correct(packed, len(bits)) == array).all()
    assert bool(packed[0] & 0x80) == bits[0]  # the most significant first


def test_every_written_column_is_in_a_schema() -> None:
    assert set(store_module.SCHEMAS) == {"metrics", "predictions", "failures"}
