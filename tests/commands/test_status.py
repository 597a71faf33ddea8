"""`scaling status`: cells, the models in them, and models that no study names."""

import json
from pathlib import Path
from typing import Any

import pytest
from simulated import fill_study

from jobs.cli.main import main
from scaling.store.store import Store
from scaling.study import Grid, Study


def study(*n_train: int, seeds: int = 5) -> Study:
    grid = Grid(dataset=("mnist",), n_train=n_train, recipe=("1989",), seeds=tuple(range(seeds)))
    return Study(name="mine", question="Do two\nlines count?", grids=(grid,), notes=("Yes [1].",))


def asked(out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    capsys.readouterr()
    assert main(["status", str(out)]) == 0
    said = capsys.readouterr().out
    assert main(["status", str(out), "--json"]) == 0
    return said, json.loads(capsys.readouterr().out)


def test_models_of_unfinished_cells_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_study(tmp_path, study(911, 3646), lambda _: 0.1, leave_out=lambda _, seed: seed > 1)
    said, counts = asked(tmp_path, capsys)
    assert said.splitlines()[0] == (
        "mine: 2 cells, 0 finished, 0 failed, 2 missing; 4 of 10 models stored, 2 cells in part"
    )
    assert counts == {
        "cells": 2, "finished": 0, "failed": 0, "missing": 2,
        "models": 10, "models_finished": 4, "models_failed": 0, "in_part": 2,
        "unplanned": 0, "torn": [], "misplaced": [], "unverified_files": 0,
    }  # fmt: skip


def test_a_failed_cell_is_not_in_part_and_its_models_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_study(tmp_path, study(911), lambda _: 0.1, leave_out=lambda _, seed: seed > 3)
    store = Store(tmp_path)
    (cell,) = store.read_plans()["mine"]["cells"]
    run = cell["members"][4]["run_id"]
    failure = {"cell_id": cell["cell_id"], "run_id": run, "kind": "numeric", "error": "NaN"}
    store.write_failure(failure)
    _, counts = asked(tmp_path, capsys)
    assert (counts["failed"], counts["in_part"]) == (1, 0)
    assert (counts["models_finished"], counts["models_failed"]) == (4, 1)


def test_models_of_an_earlier_definition_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_study(tmp_path, study(911, seeds=4), lambda _: 0.1)
    fill_study(tmp_path, study(3646), lambda _: 0.1, leave_out=lambda *_: True)
    said, counts = asked(tmp_path, capsys)
    assert "1 cells, 0 finished, 0 failed, 1 missing; 0 of 5 models stored" in said
    assert "4 models are stored that no study here names" in said
    assert counts["unplanned"] == 4


def test_a_folder_without_a_study_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, counts = asked(tmp_path, capsys)
    assert "no study is there yet" in said
    assert counts["cells"] == counts["models"] == 0


def test_a_cell_trained_again_with_other_rates_and_seeds_keeps_all_its_models(
    tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--dataset", str(tiny_npz), "--n-train", "9", "--epochs", "1"]
    words += ["--engine", "reference", "--out", str(tmp_path)]
    for more in (["--seeds", "3"], ["--lr", "0.1"], ["--seeds", "2"]):
        assert main([*words, *more]) == 0
    _, counts = asked(tmp_path, capsys)
    assert (counts["cells"], counts["models_finished"], counts["unplanned"]) == (1, 4, 0)


def test_the_question_and_notes_of_a_study_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_npz: Path
) -> None:
    """Under any name, were it that of a part of the report."""
    path = tmp_path / "own.py"
    path.write_text(
        "from scaling.study import Grid, Study\n"
        f"grid = Grid(dataset=('{tiny_npz}',), n_train=(40,), recipe=('ce',), seeds=(0,))\n"
        "STUDY = Study(name='own', question='Do two\\nlines?', grids=(grid,), notes=('Yes.',))"
    )
    assert main(["sweep", str(path), "--dry-run"]) == 0
    assert "own: Do two lines?\nown: Yes.\n" in capsys.readouterr().out
    for name in ("future", "epochs"):
        out = tmp_path / name
        grid = Grid(dataset=("mnist",), n_train=(911,), recipe=("1989",), seeds=(0, 1))
        own = Study(name=name, question="Do two\nlines <b>?", grids=(grid,), notes=("Yes\n[1].",))
        fill_study(out, own, lambda _: 0.1)
        said, _ = asked(out, capsys)
        assert said.splitlines()[1:3] == ["  Do two lines <b>?", "  Yes [1]."]
        assert main(["report", str(out)]) == 0
        page = (out / "report.html").read_text(encoding="utf-8")
        assert f"<strong>{name}:</strong> Do two lines &lt;b&gt;?</p>" in page
        text = (out / "report.md").read_text(encoding="utf-8")
        assert f"\n**{name}:** Do two lines &#60;b>?\n\n> Yes [1].\n" in text
