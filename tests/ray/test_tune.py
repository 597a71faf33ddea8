"""Test `scaling tune` on a real Ray: stored, resumed after a kill, and no part of any curve."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import load, report
from analysis.laws.curves import find_curves
from jobs.cli.main import main
from jobs.execution.sweep import Options, sweep
from jobs.execution.worker import train_job
from jobs.planning.cost import plan_job
from jobs.tuning.define import make_tuning, tuned_recipe
from jobs.tuning.optuna_study import Suggestions
from jobs.tuning.run import tune
from jobs.tuning.summary import summary_lines
from scaling.data import datasets
from scaling.errors import InputError
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.store.store import Store
from scaling.study import Grid, Study, resolve

RESULT = ["run_id", "epoch", "lr", "train_loss", "val_misses", "val_loss", "test_misses"]
NAME = "tune-rows.npz-n60-w1-1989-e3-lr"


def words(path: Path, out: Path, suggestions: int, *more: str) -> list[str]:
    grid = ["--dataset", str(path), "--n-train", "60", "--width", "1", "--recipe", "1989"]
    small = ["--epochs", "3", "--space", "lr", "--seeds", "2", "--suggestions", str(suggestions)]
    return ["tune", *grid, *small, "--out", str(out), *more]


def table(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "metrics").sort_values(["run_id", "epoch"], ignore_index=True)


def stamps(out: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (out / "metrics").iterdir()}


@pytest.mark.usefixtures("local_ray")
def test_a_tuning_is_stored_shown_and_extended(
    tiny_npz: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(words(tiny_npz, tmp_path, 4)) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "tuning" / f"{NAME}.json").read_text())
    assert found["suggestions"] == {"asked": 4, "done": 4, "failed": 0, "missing": 0}
    assert found["tried"][0]["values"] == {"lr": 0.03} == found["published_values"]
    assert found["command"].startswith("scaling tune --dataset")
    rows = table(tmp_path)
    last = rows[rows["epoch"] == 3]
    assert len(last) == 8
    assert set(rows["split"]) == {"tune"}
    assert set(rows["study"]) == {NAME}
    errors = (last["val_misses"] / last["val_n"]).groupby(last["lr"]).mean()
    assert found["best"]["val_error"] == pytest.approx(errors.min())
    assert errors[found["best"]["values"]["lr"]] == pytest.approx(errors.min())
    assert (tmp_path / "figures" / f"tuning_{NAME}.png").stat().st_size > 10_000
    use = f"{found['use']['values']['lr']:g}"
    assert re.search(rf"^scaling train --dataset \S*rows.npz .*--epochs 3 --lr {use}$", said, re.M)
    (line,) = (line for line in said.splitlines() if line.startswith("in a study: "))
    printed = eval(
        line.removeprefix("in a study: "), {"replace": replace, "find_recipe": find_recipe}
    )
    assert printed == tuned_recipe(str(tmp_path), NAME)
    assert (printed.name, printed.epochs) == (f"1989-e3-lr{use}".removesuffix("-lr0.03"), 3)

    before = stamps(tmp_path)
    assert main(words(tiny_npz, tmp_path, 4)) == 0
    assert "all 4 suggestions are stored" in capsys.readouterr().out
    assert stamps(tmp_path) == before
    assert main(words(tiny_npz, tmp_path, 6)) == 0
    after = stamps(tmp_path)
    assert len(after) == 6, "a file for both seeds of a suggestion"
    assert all(after[name] == stamp for name, stamp in before.items())
    recipe = tuned_recipe(str(tmp_path), NAME)
    found = json.loads((tmp_path / "tuning" / f"{NAME}.json").read_text())
    assert (recipe.epochs, recipe.lr) == (3, found["use"]["values"]["lr"])
    capsys.readouterr()
    assert main(["status", str(tmp_path), "--json"]) == 0
    counts = {"cells": 1, "finished": 1, "failed": 0, "missing": 0, "models": 12, "torn": []}
    assert counts.items() <= json.loads(capsys.readouterr().out).items()


@pytest.mark.usefixtures("local_ray")
def test_constant_images_teach_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = np.arange(300) % 10
    x = np.zeros((300, 16, 16), np.uint8)
    np.savez(tmp_path / "grey.npz", x_train=x, y_train=y, x_test=x[:50], y_test=y[:50])
    words = ["tune", "--dataset", str(tmp_path / "grey.npz"), "--n-train", "60", "--width", "1"]
    words += ["--recipe", "1989", "--epochs", "2", "--seeds", "2", "--suggestions", "3"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "nothing distinguishes these 3 suggestions" in said
    assert re.search(r"^scaling train .* --lr 0.03$", said, re.M)
    assert main(["report", str(tmp_path / "out")]) == 0
    assert "The 3 suggestions cannot be distinguished" in (tmp_path / "out/report.md").read_text()


@pytest.mark.usefixtures("local_ray")
def test_tuned_models_are_in_the_report_but_in_no_curve(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    """Models of one cell and seed that differ in their learning rate do not replace each other."""
    assert main(words(tiny_npz, tmp_path, 3)) == 0
    numbers = report(tmp_path)
    assert numbers["curves"] == []
    assert numbers["tunings"][0]["name"] == NAME
    page = (tmp_path / "report.html").read_text()
    assert page.count('<img src="data:image/svg') == 1
    assert "Tuning by validation images" in page
    study = Study(
        name="measured",
        question="?",
        grids=tuple(
            Grid(
                dataset=(str(tiny_npz),),
                n_train=(60,),
                split="tune",
                recipe=(recipe,),
                epochs=(3,),
                seeds=(0, 1),
            )
            for recipe in ("1989", Recipe(name="1989", epochs=3, lr=0.1, output_bias=-1.0))
        ),
    )
    jobs = resolve(study, datasets.find)
    assert len(jobs) == 1
    sweep(study, jobs, Store(tmp_path), Options(), lambda _: None)
    curves = find_curves(load(tmp_path))
    assert sorted(curve.fixed["lr"] for curve in curves) == [0.03, 0.1]  # type: ignore[type-var]
    rows = table(tmp_path)
    for curve in curves:
        last = rows[(rows["lr"] == curve.fixed["lr"]) & (rows["epoch"] == 3)]
        assert len(curve.models) == 2
        assert curve.errors[0] == pytest.approx((last["test_misses"] / last["n_test"]).mean())
    titles = sorted(curve["title"] for curve in report(tmp_path)["curves"])
    assert titles == ["1989, learning rate 0.03", "1989, learning rate 0.1"]


@pytest.mark.usefixtures("local_ray")
def test_suggestions_that_diverge_are_named_and_the_tuning_goes_on(
    tiny_npz: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = Recipe(name="bad", epochs=2, lr=20.0, activation="relu", output="linear")
    tuning = make_tuning(
        dataset=str(tiny_npz), n_train=60, recipe=bad, suggestions=4, seeds=(0, 1), space=["lr"]
    )
    plan, state = tune(tuning, Store(tmp_path), Options(), lambda _: None, "again")
    from analysis.api import write_tuning
    from jobs.cli.output import print_summary

    assert print_summary(plan, state, "out") == 1
    assert "failed (numeric)" in capsys.readouterr().err
    found, _ = write_tuning(Store(tmp_path), tuning.name)
    counts = found["suggestions"]
    assert counts["failed"] > 0
    assert counts["done"] + counts["failed"] == 4
    assert f"{counts['failed']} failed" in summary_lines(found)[0]
    before = stamps(tmp_path)
    tune(tuning, Store(tmp_path), Options(), lambda _: None)
    assert stamps(tmp_path) == before, "a failure of the mathematics is final"


def test_killed_in_the_middle_the_same_optuna_study_goes_on(tiny_npz: Path, tmp_path: Path) -> None:
    """kill -9 of the driver; one suggestion at a time, so that the sampler's history is the same.

    The undisturbed run that it is compared with is of this process, without Ray.
    """
    command = [sys.executable, "-c", "from jobs.cli.main import entry; entry()"]
    command += words(tiny_npz, tmp_path, 12, "--address", "local", "--cpus", "1")
    env = os.environ | {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as driver:
        deadline = time.monotonic() + 240
        while len(stored := list((tmp_path / "metrics").glob("*.parquet"))) < 3:
            assert driver.poll() is None, "ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        driver.send_signal(signal.SIGKILL)
    before = {p.name: p.stat().st_mtime_ns for p in stored}
    assert 3 <= len(list((tmp_path / "metrics").glob("*.parquet"))) < 24
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "of 12 are stored" in done.stdout
    after = stamps(tmp_path)
    assert all(after[name] == stamp for name, stamp in before.items())
    found = json.loads((tmp_path / "tuning" / f"{NAME}.json").read_text())
    assert found["suggestions"] == {"asked": 12, "done": 12, "failed": 0, "missing": 0}

    whole = Store(tmp_path / "whole")
    whole.check_writable()
    tuning = make_tuning(
        dataset=str(tiny_npz), n_train=60, recipe="1989", suggestions=12, epochs=3, seeds=(0, 1),
        space=["lr"],
    )  # fmt: skip
    suggestions = Suggestions(tuning.name, tuning.job, tuning.space, 12, whole)
    while (new := suggestions.next()) is not None:
        train_job(plan_job(new.job, "cpu"), whole, tuning.name, lambda _: None)
        assert suggestions.settle(new)
    assert [row["values"] for row in found["tried"]] == [
        dict(known.values) for known in suggestions.known.values()
    ]
    pd.testing.assert_frame_equal(table(tmp_path)[RESULT], table(tmp_path / "whole")[RESULT])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--recipe": "magic"}, "unknown recipe 'magic'"),
        ({"--suggestions": "0"}, "got '0'"),
        ({"--seeds": "0"}, "got '0'"),
        ({"--dataset": "mnsit"}, "unknown data set"),
        ({"--n-train": "9999"}, "n_train 9,999"),
        ({"--width": "0.3"}, "width 0.3"),
        ({"--space": "speed"}, "--space speed"),
        ({"--space": "weight_decay"}, "not a value it uses"),
        ({"--space": "epochs"}, "fixed by another option"),
        ({"--name": "../up"}, "--name '../up'"),
        ({"--out": "/dev/null/results"}, "cannot be written to /dev/null/results"),
    ],
)
def test_bad_usage_is_one_line_and_2(
    tiny_npz: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    message: str,
) -> None:
    given = words(tiny_npz, tmp_path / "out", 3)
    for flag, value in changes.items():
        given = [*given, flag, value] if flag == "--name" else given
        if flag in given:
            given[given.index(flag) + 1] = value
    try:
        status = main(given)
    except SystemExit as exit_:
        status = int(str(exit_.code))
    error = capsys.readouterr().err.strip()
    assert status == 2, error
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_data_set_too_small_to_set_images_aside_is_refused(tmp_path: Path) -> None:
    x, y = np.zeros((4, 8, 8), np.uint8), np.arange(4)
    np.savez(tmp_path / "four.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(InputError, match="none of its 4 training images are for validation"):
        make_tuning(dataset=str(tmp_path / "four.npz"), n_train=4, recipe="1989", suggestions=1)


def test_what_is_asked_for_is_in_the_name_and_in_the_cell(tiny_npz: Path) -> None:
    path = str(tiny_npz)
    common: dict[str, Any] = {"dataset": path, "n_train": 60, "suggestions": 2}
    plain = make_tuning(recipe="modern", **common)
    assert plain.name == "tune-rows.npz-n60-w1-dropout_relu"
    assert plain.job.cell.split == "tune"
    other = make_tuning(
        recipe="adamw", model="micro_vit", epochs=5, batch_size=4, space=["lr"], width=1, **common
    )
    assert other.name == "tune-rows.npz-n60-w1-adamw-micro_vit-e5-b4-lr"
    recipe = other.job.cell.recipe
    assert (recipe.name, recipe.epochs, recipe.batch_size) == ("adamw", 5, 4)
    assert other.job.cell.model == "micro_vit"


def test_a_recipe_is_read_of_finished_tunings_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished tuning nothing"):
        tuned_recipe(str(tmp_path), "nothing")
