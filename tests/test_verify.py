"""`scaling verify`: honest folders hold, and one forged value is named with its model."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forging import (
    digests,
    edit,
    edit_plan,
    first,
    flip_bit,
    miss_more,
    other_class,
    put,
    put_all,
)

from jobs.cli import main
from scaling.engines import versions
from scaling.store import Store

TRAIN = ["--n-train", "40", "--n-test", "90", "--epochs", "2"]
POPULATION = ["--batch-size", "7", "--seeds", "3"]  # three models in lock-step


def run(*words: object) -> int:
    return main([str(word) for word in words])


def verified(
    capsys: pytest.CaptureFixture[str], out: object, *words: object
) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run("verify", out, "--json", *words)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["holds"] == (status == 0)
    return status, found


@pytest.fixture(scope="module")
def honest(rows_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two cells: two models of the compiled engine, three of the population engine."""
    out = tmp_path_factory.mktemp("verify") / "out"
    assert run("train", "--dataset", rows_npz, *TRAIN, "--seeds", 2, "--out", out) == 0
    assert run("train", "--dataset", rows_npz, *TRAIN, *POPULATION, "--out", out) == 0
    return out


@pytest.fixture
def copied(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "out"))


def run_ids(out: Path, engine: str) -> list[str]:
    rows = Store(out).read("metrics", ["run_id", "engine"]).table.to_pylist()
    return sorted({row["run_id"] for row in rows if row["engine"] == engine})


def test_what_was_trained_honestly_holds_and_stays_as_it_is(
    honest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(honest)
    status, found = verified(capsys, honest, "--sample", 99)
    assert (status, found["findings"], found["notes"], found["paired"]) == (0, [], [], [])
    assert len(found["equal"]) == found["models"] == 5
    checked = {row["check"]: row["checked"] for row in found["checks"]}
    assert checked == {
        "files: whole, named by their content": 11,
        "plans against identities": 7,
        "rows of a model among themselves": 5,
        "rows against plans": 5,
        "counts against bits": 5,
        "predictions against labels": 5,
        "failures against results": 0,
        "weight by weight against the reference": 0,
        "trained again, equal to the bit": 5,
        "trained again, each number within bounds": 0,
        "trained again, paired test": 0,
    }
    assert run("verify", honest, "--sample", 1) == 0
    assert capsys.readouterr().out.endswith("\nall that was checked holds\n")
    assert digests(honest) == before


@pytest.mark.usefixtures("local_ray")
def test_a_sweep_holds_with_models_that_begin_on_others(
    rows_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tiny import tiny

    from jobs.sweep import Options, sweep
    from jobs.training import cost_by
    from scaling.study import Start

    start = Start(dataset=str(rows_npz), n_train=50, recipe="1989")
    study, jobs = tiny(rows_npz, start=start, recipe=("1989",), n_train=(30,))
    out = tmp_path / "out"
    sweep(study, jobs, cost_by(), Store(out), Options(address="local", cpus=2), lambda _: None)
    status, found = verified(capsys, out)
    assert (status, found["findings"], len(found["equal"])) == (0, [], 2)


ONE_ULP = lambda loss: math.nextafter(loss, 9)  # noqa: E731
MORE = lambda count: count + 1  # noqa: E731

# What is forged in which file, and what of it is named, without training anything.
SEEN: dict[str, tuple[str, Callable[..., Any], str]] = {
    "test_misses": ("metrics", put("test_misses", MORE), "test_misses of epoch 2"),
    "n_test": ("metrics", put_all("n_test", 91), "n_test"),
    "n_test of one epoch": ("metrics", put("n_test", 91, 0), "n_test in the rows of one model"),
    "n_test of predictions": ("predictions", put("n_test", 88), "n_test of predictions"),
    "test_set_id": ("predictions", put("test_set_id", "other"), "test_set_id of predictions"),
    "seed": ("metrics", put_all("seed", lambda seed: 1 - seed), "seed"),
    "lr": ("metrics", put_all("lr", lambda lr: lr * 1.01), "lr"),
    "lr of one epoch": ("metrics", put("lr", 0.5, 0), "lr in the rows of one model"),
    "width": ("metrics", put_all("width", 2.0), "width"),
    "recipe": ("metrics", put_all("recipe", "ce"), "recipe"),
    "tricks": ("metrics", put_all("tricks", ["relu"]), "tricks"),
    "dataset": ("metrics", put_all("dataset", "mnist"), "dataset"),
    "n_params": ("metrics", put_all("n_params", 9761), "n_params"),
    "epochs": ("metrics", put_all("epochs", 3), "epoch"),
    "cell_id": ("metrics", put_all("cell_id", "other"), "cell_id"),
    "examples_seen": ("metrics", put("examples_seen", 81), "examples_seen of epoch 2"),
    "train_flop": ("metrics", put("train_flop", 1.0), "train_flop of epoch 2"),
    "train_n": ("metrics", put("train_n", 39), "train_n of epoch 2"),
    "train_misses": ("metrics", put("train_misses", 41), "train_misses of epoch 2"),
    "a loss that is missing": ("metrics", put("train_loss", None), "train_loss of epoch 2"),
    "a loss that is infinite": ("metrics", put("test_loss", math.inf), "test_loss of epoch 2"),
    "a validation that was not": ("metrics", put("val_misses", 3), "val_loss, val_misses, val_n"),
    "an epoch left out": ("metrics", lambda rows: rows.pop(), "last epoch evaluated"),
    "epochs in another order": ("metrics", lambda rows: rows.reverse(), "epochs evaluated"),
    "the engine": ("metrics", put_all("engine", "warp"), "engine"),
    "a bit": ("predictions", flip_bit, "test_misses of epoch 2"),
    "bits cut short": (
        "predictions",
        put("correct", lambda bits: bits[:-1]),
        "bytes of correct and predicted",
    ),
    "bits beyond the last image": (
        "predictions",
        put("correct", lambda bits: bits[:-1] + bytes([bits[-1] | 1])),
        "bits of correct beyond the last image",
    ),
    "a prediction": ("predictions", other_class(wrong=False), "correct where the prediction"),
    "a class that there is not": (
        "predictions",
        put("predicted", lambda classes: bytes([10]) + classes[1:]),
        "largest class predicted",
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_forged_value_is_named_without_training(
    copied: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, change, expected = SEEN[name]
    path = first(copied, kind)
    edit(path, change)
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert any(finding["what"].startswith(expected) for finding in found["findings"])
    assert {finding["run_id"] for finding in found["findings"]} == {path.stem}
    assert run("verify", copied, "--sample", 0) == 1
    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith(f"does not hold: {path.stem}: "))
    assert ": got " in line
    assert ", expected " in line


@pytest.mark.parametrize("engine", ["compiled", "population"])
@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("metrics", put("train_loss", ONE_ULP, 0), "train_loss of epoch 1"),
        ("metrics", put("test_loss", ONE_ULP), "test_loss of epoch 2"),
        ("metrics", put("train_misses", lambda m: m - 1 if m else 1), "train_misses of epoch 2"),
        ("metrics", put("test_misses", MORE, 0), "test_misses of epoch 1"),
        ("predictions", other_class(wrong=True), "predicted on 1 images"),
    ],
)
def test_a_forged_value_that_only_training_can_tell_is_named(
    copied: Path,
    engine: str,
    kind: str,
    change: Callable[..., Any],
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also of one model among others in lock-step: those return to the bit, so it should."""
    run_id = run_ids(copied, engine)[0]
    edit(copied / kind / f"{run_id}.parquet", change)
    assert verified(capsys, copied, "--sample", 0)[0] == 0
    status, found = verified(capsys, copied, "--sample", 99)
    (finding,) = found["findings"]
    assert (status, finding["run_id"]) == (1, run_id)
    assert expected in finding["what"]
    assert finding["file"] == f"metrics/{run_id}.parquet"


@pytest.mark.parametrize(
    "change",
    [
        *(put_all(name, None) for name in ("epoch", "epochs", "n_train", "n_test", "split")),
        *(put(name, None) for name in ("test_misses", "test_loss", "train_n", "wall_s")),
        *(put_all(name, None) for name in ("engine", "device", "seed", "recipe")),
        put_all("schema_version", None),
        put("epoch", 7),
    ],
)
@pytest.mark.parametrize("engine", ["compiled", "population"])
def test_rows_that_make_no_sense_are_named_without_a_traceback(
    copied: Path, engine: str, change: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = run_ids(copied, engine)[0]
    edit(copied / "metrics" / f"{run_id}.parquet", change)
    status, found = verified(capsys, copied, "--sample", 99)
    assert status == 1
    assert {finding["run_id"] for finding in found["findings"]} == {run_id}


def test_models_whose_files_were_swapped_are_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (copied / "metrics" / f"{run}.parquet" for run in run_ids(copied, "compiled"))
    one.rename(copied / "x")
    other.rename(one)
    (copied / "x").rename(other)
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert {f["what"] for f in found["findings"]} == {"the model in a file"}
    assert len(found["findings"]) == 2


def test_a_model_copied_under_another_name_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = first(copied)
    shutil.copy(path, path.with_name("another.parquet"))
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert {f["what"] for f in found["findings"]} == {
        "the model in a file",
        "files with this model",
    }
    assert {f["run_id"] for f in found["findings"]} == {path.stem}


def test_rows_of_one_model_as_those_of_another_are_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied with its new run_id written in, predictions too: the plan knows another seed."""
    one, other = run_ids(copied, "compiled")
    for kind in ("metrics", "predictions"):
        edit(
            copied / kind / f"{one}.parquet",
            put_all("run_id", other),
            to=copied / kind / f"{other}.parquet",
        )
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert [(f["run_id"], f["what"]) for f in found["findings"]] == [(other, "seed")]
    edit(copied / "metrics" / f"{other}.parquet", put_all("seed", lambda seed: 1 - seed))
    assert verified(capsys, copied, "--sample", 0)[0] == 0
    status, found = verified(capsys, copied, "--sample", 99)
    assert (status, [f["run_id"] for f in found["findings"]]) == (1, [other])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda cell: cell.update(n_train=41), "cell_id by the cell's content"),
        (lambda cell: cell.update(data_version="0"), "cell_id by the cell's content"),
        (lambda cell: cell["recipe"].update(epochs=3), "cell_id by the cell's content"),
        (lambda cell: cell["recipe"].update(warp=3), "cell "),
        (lambda cell: cell.update(recipe="1989"), "cell "),
        (lambda cell: cell.update(width="wide"), "cell "),
        (lambda cell: cell.update(width=math.nan), "cell "),
        (lambda cell: cell.pop("n_test"), "cell "),
        (lambda cell: cell.update(source="mnist"), "source of cell"),
        (lambda cell: cell["members"][0].update(seed=7), "run_id by the member's content"),
        (lambda cell: cell["members"][0].update(lr=0.5), "run_id by the member's content"),
        (lambda cell: cell["members"][0].update(run_id="x"), "run_id by the member's content"),
        (lambda cell: cell["members"][0].pop("seed"), "member"),
        (lambda cell: cell.update(members=3), "cell "),
    ],
)
def test_an_edited_plan_is_named(
    copied: Path,
    change: Callable[[dict[str, Any]], object],
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edit_plan(copied, lambda plan: change(plan["cells"][0]))
    status, found = verified(capsys, copied, "--sample", 0)
    assert status == 1
    assert any(f["what"].startswith(expected) for f in found["findings"])
    assert {f["file"] for f in found["findings"]} == {"studies/train.json"}


def test_rows_that_no_plan_names_are_listed_and_do_no_harm(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_plan(copied, lambda plan: plan["cells"][0]["members"].pop())
    status, found = verified(capsys, copied, "--sample", 0)
    assert (status, len(found["notes"])) == (0, 1)
    assert "no plan names this model" in found["notes"][0]


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
    assert any(path.name in torn.path for torn in Store(copied).state().torn) or column not in (
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


def test_an_engine_of_another_version_is_compared_within_tolerance(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two models are too few for that, which is never taken for agreement."""
    monkeypatch.setitem(versions.VERSIONS, "compiled", 2)
    assert len(verified(capsys, copied, "--sample", 99)[1]["equal"]) == 5
    run_ids_of_it = run_ids(copied, "compiled")
    for run_id in run_ids_of_it:
        edit(copied / "metrics" / f"{run_id}.parquet", put("test_loss", ONE_ULP))
    status, found = verified(capsys, copied, "--sample", 99)
    (decision,) = found["paired"]
    assert (status, sorted(decision["models"])) == (1, run_ids_of_it)
    assert decision["verdict"] == "not verifiable at this precision"
    assert decision["reasons"] == ["engine 1 then, 2 now"]
    assert (sorted(found["unverified"]), found["findings"]) == (run_ids_of_it, [])
    assert run("verify", copied, "--sample", 99) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("2 models could not be verified: ")
    assert all(run_id in last for run_id in run_ids_of_it)


LOSS_BY_TEN = put("test_loss", lambda loss: loss / 10)


@pytest.mark.parametrize("engine", ["compiled", "population"])
@pytest.mark.parametrize("forged", ["no versions", "no processor", "cuda", "reference"])
def test_rows_that_excuse_themselves_from_equal_bits_are_not_confirmed(
    copied: Path, engine: str, forged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = {
        "no versions": put_all("versions", []),
        "no processor": put_all("versions", lambda v: [p for p in v if p[0] != "processor"]),
        "cuda": put_all("device", "cuda"),
        "reference": put_all("engine", "reference"),
    }[forged]
    run_id = run_ids(copied, engine)[0]
    path = copied / "metrics" / f"{run_id}.parquet"
    edit(path, claim)
    miss_more(copied, run_id, count=5)
    status, found = verified(capsys, copied, "--sample", 99)
    named = {*found["unverified"], *(f["run_id"] for f in found["findings"])}
    assert status == 1
    assert run_id in named
    edit(path, LOSS_BY_TEN)
    status, found = verified(capsys, copied, "--sample", 99)
    assert status == 1
    assert run_id in {f["run_id"] for f in found["findings"]}


def test_a_lone_model_of_the_population_engine_had_no_neighbours(
    rows_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, words = tmp_path / "out", ["--batch-size", 7, "--engine", "population"]
    assert run("train", "--dataset", rows_npz, *TRAIN, *words, "--out", out) == 0
    assert verified(capsys, out)[0] == 0
    edit(first(out), put("test_loss", ONE_ULP))
    status, found = verified(capsys, out)
    (finding,) = found["findings"]
    assert (status, finding["run_id"]) == (1, first(out).stem)
    assert "test_loss of epoch 2" in finding["what"]


def test_a_model_whose_neighbours_left_the_plan_is_not_taken_for_a_lone_one(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan that was written anew with fewer seeds: its last model had two beside it."""

    def fewer(plan: dict[str, Any]) -> None:
        for cell in plan["cells"]:
            del cell["members"][1:]

    edit_plan(copied, fewer)
    status, found = verified(capsys, copied, "--sample", 99)
    assert found["findings"] == []
    assert status == (1 if found["unverified"] else 0)


def test_nothing_confirmed_is_no_success(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the images are not at hand: their file is named beside the one of the plan."""
    edit_plan(
        copied,
        lambda plan: [cell.update(source=str(tmp_path / "rows.npz")) for cell in plan["cells"]],
    )
    status, found = verified(capsys, copied)
    (finding,) = found["findings"]
    assert (status, finding["what"]) == (1, "models that training again confirms")
    assert any("5 models cannot be trained again here" in note for note in found["notes"])
    assert verified(capsys, copied, "--sample", 0)[0] == 0


def test_rows_of_earlier_versions_are_read_and_equal_bits_are_enough(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (copied / "metrics").iterdir():
        edit(path, put_all("versions", [("torch", "1.0")]))
    status, found = verified(capsys, copied, "--sample", 99)
    assert (status, len(found["equal"])) == (0, 5)
    edit(first(copied), put("train_loss", ONE_ULP))
    status, found = verified(capsys, copied, "--sample", 99)
    (finding,) = found["findings"]  # the others show that this machine gives those bits
    assert (status, finding["run_id"]) == (1, first(copied).stem)
    assert "where others with the same versions came back to the bit" in finding["what"]


@pytest.fixture(scope="module")
def many(rows_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty models of the compiled engine with dozens of misses."""
    out = tmp_path_factory.mktemp("verify") / "many"
    words = ["--n-train", 30, "--n-test", 100, "--epochs", 2, "--seeds", 20]
    assert run("train", "--dataset", rows_npz, *words, "--out", out) == 0
    return out


def test_the_paired_test_tells_worse_models_from_rounding(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of another version of the engine: other last bits hold, a few misses more do not."""
    monkeypatch.setitem(versions.VERSIONS, "compiled", 2)
    out = Path(shutil.copytree(many, tmp_path / "out"))
    for path in sorted((out / "metrics").iterdir()):
        edit(path, put("test_loss", ONE_ULP))
    status, found = verified(capsys, out, "--sample", 3)  # more are trained, until it can be told
    (decision,) = found["paired"]
    assert (status, decision["n"], decision["verdict"]) == (0, 20, "holds")
    kept = first(out).read_bytes()
    edit(first(out), LOSS_BY_TEN)
    status, found = verified(capsys, out, "--sample", 20)
    (finding,) = found["findings"]
    assert (status, finding["check"]) == (1, "trained again, each number within bounds")
    assert finding["run_id"] == first(out).stem
    first(out).write_bytes(kept)
    for path in sorted((out / "metrics").iterdir()):
        miss_more(out, path.stem, count=3)
    status, found = verified(capsys, out, "--sample", 3)
    (decision,) = found["paired"]
    assert (status, decision["verdict"]) == (1, "does not hold")
    assert {f["run_id"] for f in found["findings"]} == set(decision["models"])
    assert "engine 1 then, 2 now" in found["findings"][0]["got"]


def test_by_reference_compares_weights_and_then_misses(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = verified(capsys, many, "--by", "reference", "--sample", 20)
    (decision,) = found["paired"]
    assert (status, decision["n"], decision["verdict"]) == (0, 20, "holds")
    checked = {row["check"]: row["checked"] for row in found["checks"]}
    assert checked["weight by weight against the reference"] == 1
    out = Path(shutil.copytree(many, tmp_path / "out"))
    for path in sorted((out / "metrics").iterdir()):
        miss_more(out, path.stem, count=3)
    status, found = verified(capsys, out, "--by", "reference", "--sample", 20)
    assert (status, found["paired"][0]["verdict"]) == (1, "does not hold")


def test_by_reference_names_an_engine_whose_weights_are_others(
    honest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scaling.engines.compiled import engine

    rates = engine.step_rates
    monkeypatch.setattr(engine, "step_rates", lambda *a: rates(*a) * 1.01)
    status, found = verified(capsys, honest, "--by", "reference", "--sample", 5)
    assert status == 1
    (finding,) = found["findings"]
    assert finding["check"] == "weight by weight against the reference"
    assert finding["run_id"] in run_ids(honest, "compiled")


def test_the_sample_is_the_seeds_and_spread_over_cells(
    honest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first_time, again, other = (
        verified(capsys, honest, "--sample", 2, "--seed", seed)[1]["equal"] for seed in (0, 0, 5)
    )
    assert first_time == again
    assert {len(first_time), len(other)} <= {3, 4}  # one, or two, and three in lock-step
    both = {verified(capsys, honest, "--sample", 4, "--seed", s)[1]["seed"] for s in (0, 5)}
    assert both == {0, 5}
