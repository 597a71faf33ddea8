"""Test `scaling verify`: honest folders hold, and one forged value is named with its model."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forging import (
    digests,
    edit,
    edit_plan,
    first,
    flip_bit,
    other_class,
    put,
    put_all,
)
from honest import ONE_ULP, own_data, run, run_ids, verified


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
    assert run("verify", honest, "--sample", 1, *own_data(honest)) == 0
    assert capsys.readouterr().out.endswith("\nall that was checked holds\n")
    assert digests(honest) == before


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
    assert run("verify", copied, "--sample", 0, *own_data(copied)) == 1
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
