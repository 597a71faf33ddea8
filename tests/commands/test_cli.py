"""Test the command line: its output, and one line with exit status 2 for every mistake."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobs.cli.main import main

SMALL = ["--n-train", "40", "--epochs", "2"]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return the one line on stderr of a command that exits 2."""
    try:
        status = main([str(word) for word in words])
    except SystemExit as exit_:
        status = int(str(exit_.code))
    error = capsys.readouterr().err.strip()
    assert status == 2, error
    assert len(error.splitlines()) == 1, error
    assert "Traceback" not in error
    return error


@pytest.fixture
def trained(tiny_npz: Path, tmp_path: Path) -> Path:
    """Store a results folder with one cell of two models."""
    out = tmp_path / "out"
    words = ["train", "--dataset", tiny_npz, *SMALL, "--seeds", "2", "--out", out]
    assert main([str(word) for word in words]) == 0
    return out


def test_train_prints_a_line_for_every_epoch_and_split(
    tiny_npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset", str(tiny_npz), "--split", "tune", "--n-test", "50", *SMALL]
    assert main(["train", *words]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2 * 3
    found = re.fullmatch(
        r"epoch +2/2 +seed 0 +split test +loss (\S+) +error +(\S+)% +misses: (\d+)", lines[-1]
    )
    assert found
    assert float(found[2]) == pytest.approx(100 * int(found[3]) / 50)


def test_train_stores_rows_predictions_and_weights(
    tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--dataset", str(tiny_npz), *SMALL, "--out", str(tmp_path)]
    assert main([*words, "--save-weights"]) == 0
    assert main([*words, "--recipe", "modern"]) == 0
    capsys.readouterr()
    assert main(["status", str(tmp_path), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert {key: status[key] for key in ("cells", "finished", "failed", "missing")} == {
        "cells": 2, "finished": 2, "failed": 0, "missing": 0
    }  # fmt: skip
    (path,) = (tmp_path / "weights").iterdir()
    with np.load(path) as weights:
        assert sum(w.size for w in weights.values()) == 9760


def test_a_model_that_fails_is_named_and_the_exit_status_is_1(
    tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dataset", str(tiny_npz), *SMALL, "--lr", "1e38", "--out", str(tmp_path)]
    assert main(["train", *words]) == 1
    assert "seed 0 failed: " in capsys.readouterr().err
    assert main(["status", str(tmp_path)]) == 0
    assert "1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--recipe", "magic"], "unknown recipe 'magic'"),
        (["train", "--dataset", "mnsit"], "unknown data set 'mnsit'"),
        (["train", "--dataset", "strokes", "--n-train", "100000000000"], "n_train"),
        (["train", "--dataset", "strokes", "--n-test", "10001"], "n_test 10,001"),
        (["train", "--n-train", "many"], "got 'many', expected a whole number"),
        (["train", "--n-train", "0"], "got '0'"),
        (["train", "--dataset", "strokes", "--width", "0.3"], "width 0.3"),
        (["train", "--dataset", "strokes", "--lr", "-1"], "learning rate"),
        (["train", "--dataset", "strokes", "--lr", "nan"], "learning rate"),
        (["train", "--engine", "warp"], "invalid choice"),
        (["train", "--save-weights"], "--out"),
        (["sweep", "quickstrat", "--out", "x"], "unknown study 'quickstrat'"),
        (["sweep", "quickstart", "--dataset", "strokes"], "needs --out"),
        (
            ["sweep", "quickstart", "--dataset", "strokes", "--recipe", "a", "--out", "x"],
            "recipe 'a'",
        ),
        (["sweep", "no.py", "--out", "x"], "no such file"),
        (["sweep"], "STUDY"),
        (["status", "nowhere"], "nowhere is no results folder"),
        (["report", "nowhere"], "nowhere is no results folder"),
        (["fit", "nowhere"], "nowhere is no results folder"),
        (["verify", "nowhere"], "nowhere is no results folder"),
        (["verify", "."], "holds no model"),
        (["verify"], "OUT"),
        (["verify", "x", "--sample", "-1"], "expected a whole number from 0"),
        (["verify", "x", "--by", "magic"], "invalid choice: 'magic'"),
        (["fit"], "--points"),
        (["fit", "--points", "nowhere.csv", "--x", "n", "--y", "e"], "no such file"),
        (["data", "mnsit"], "unknown data set"),
        (["data", "strokes", "--sheet", "/nowhere/sheet.png"], "--sheet /nowhere/sheet.png"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "COMMAND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_and_exit_status_2(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *words)
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_is_refused_before_training(
    tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for command in (["train"], ["sweep", "quickstart"]):
        words = [*command, "--dataset", tiny_npz, *SMALL, "--out", tmp_path / "file" / "out"]
        assert "cannot be written" in refused(capsys, *words)
    assert "cannot be written" in refused(capsys, "bench", "--out", tmp_path / "file" / "out")


@pytest.mark.parametrize("command", ["status", "report", "fit"])
def test_a_torn_file_is_named_everything_else_is_read_and_the_status_is_2(
    trained: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    capsys.readouterr()
    path = sorted((trained / "metrics").iterdir())[1]
    path.write_bytes(path.read_bytes()[:100])
    assert path.name in refused(capsys, command, trained)
    if command == "report":
        numbers = json.loads((trained / "numbers.json").read_text())
        assert numbers["models"] == 1
        assert path.name in numbers["torn"][0]
        assert path.name in (trained / "report.html").read_text()


def test_an_npz_without_its_arrays_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((3, 16, 16)))
    words = ["train", "--dataset", tmp_path / "a.npz", "--n-train", "1"]
    assert "has no y_train, x_test, y_test" in refused(capsys, *words)


def test_a_dry_run_counts_models_of_an_older_version_of_the_data(
    tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They look like those that are asked for, and are trained again."""
    out = str(tmp_path / "out")
    cell = ["--dataset", str(tiny_npz), "--n-train", "30", "--epochs", "2", "--seeds", "2"]
    assert main(["train", *cell, "--recipe", "1989", "--out", out]) == 0
    dry = ["sweep", "quickstart", *cell, "--out", out, "--dry-run"]
    assert main(dry) == 0
    assert "older" not in capsys.readouterr().out
    with np.load(tiny_npz) as arrays:
        changed = dict(arrays)
    changed["x_train"][0, 0, 0] ^= 1
    np.savez(tiny_npz, **changed)
    assert main(dry) == 0
    assert "2 older models of these cells lie in" in capsys.readouterr().out


def test_dry_run_prints_cells_and_cost_and_writes_nothing(
    tiny_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", "quickstart", "--dataset", str(tiny_npz), "--out", str(tmp_path / "o")]
    grid = ["--n-train", "40,80", "160", "--n-train", "250", "--seeds", "5", "6", "--epochs", "3"]
    assert main([*words, *grid, "--dry-run"]) == 0
    out = capsys.readouterr().out
    for n in (40, 80, 160, 250):
        assert f"-n{n}-w1-1989-e3-" in out
    assert "8 cells, 16 models; 16 to train" in out
    assert main([*words, *grid, "--n-test", "50", "all", "--dry-run"]) == 0
    assert "16 cells, 32 models; 32 to train" in capsys.readouterr().out
    assert not (tmp_path / "o").exists()


def test_studies_lists_every_study_with_its_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studies"]) == 0
    out = capsys.readouterr().out
    assert "quickstart" in out
    assert main(["studies", "--json"]) == 0
    (row,) = [r for r in json.loads(capsys.readouterr().out) if r["name"] == "quickstart"]
    assert row["cells"] > 0
    assert row["predicted_core_s"] > 0


def test_data_lists_what_can_be_had_and_what_cannot(
    no_data: None,  # noqa: ARG001
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["data", "--sheet", str(tmp_path / "sheet.png")]) == 0
    out = capsys.readouterr().out
    assert "mnist    is not available" in out
    assert "strokes  any number of training and 10,000 test images" in out
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    assert main(["data", "strokes", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["n_test"] == 10_000
    assert "mnist is not available" in refused(capsys, "data", "mnist")


def test_fit_takes_anybodys_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n = 2.0 ** np.arange(6, 14)
    rows = [
        pd.DataFrame({"net": net, "n": n, "err": a * n**-0.4, "se": 0.01 * n**-0.4})
        for net, a in (("a", 2.0), ("b", 3.0))
    ]
    pd.concat(rows).to_csv(tmp_path / "p.csv", index=False)
    pd.concat(rows).to_parquet(tmp_path / "p.parquet")
    for name in ("p.csv", "p.parquet"):
        words = ["fit", "--points", tmp_path / name, "--x", "n", "--y", "err", "--se", "se"]
        options = ["--group", "net", "--form", "power_law", "--json"]
        assert main([str(word) for word in [*words, *options]]) == 0
        fits = json.loads(capsys.readouterr().out)["fits"]
        assert [fit["group"]["net"] for fit in fits] == ["a", "b"]
        assert [fit["params"]["A"] for fit in fits] == pytest.approx([2.0, 3.0], rel=1e-6)
        assert {"form", "objective", "status", "n_points", "x_range", "intervals", "level"} <= set(
            fits[0]
        )
    assert "have no column error: they have net, n, err, se" in refused(
        capsys, "fit", "--points", tmp_path / "p.csv", "--x", "n", "--y", "error"
    )
    assert "unknown form 'cubic'" in refused(
        capsys, "fit", "--points", tmp_path / "p.csv", "--x", "n", "--y", "err", "--form", "cubic"
    )
    (tmp_path / "text.csv").write_text("n,err\n1,a\n2,b\n3,c\n")
    refused(capsys, "fit", "--points", tmp_path / "text.csv", "--x", "n", "--y", "err")


def test_output_into_a_closed_pipe_is_no_error() -> None:
    scaling = Path(sys.executable).parent / "scaling"
    done = subprocess.run(
        f"{scaling} studies | true", shell=True, capture_output=True, text=True, env=os.environ
    )
    assert done.stderr == ""


def test_fit_takes_two_sizes_and_an_objective(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(1e2, 1e5, 6), np.geomspace(10, 1e4, 6)))
    table = pd.DataFrame({"n": n, "d": d, "loss": 1.8 + 5 * n**-0.35 + 3 * d**-0.4})
    table.to_csv(tmp_path / "p.csv", index=False)
    words = ["fit", "--points", str(tmp_path / "p.csv"), "--x", "n", "--x2", "d", "--y", "loss"]
    for objective in ("huber", "lad", "ls"):
        assert main([*words, "--objective", objective, "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)["fits"]
        assert (found["form"], found["objective"]) == ("additive", objective)
        assert found["params"] == pytest.approx(
            {"A": 5, "B": 3, "E": 1.8, "alpha": 0.35, "beta": 0.4}, rel=1e-3
        )
    refused(capsys, *words, "--form", "m4")
    refused(capsys, *words, "--delta", "0")


def test_what_cannot_be_fitted_is_flagged_beside_what_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = 2.0 ** np.arange(6, 14)
    good = pd.DataFrame({"net": "a", "n": sizes, "err": 2 * sizes**-0.4})
    good.loc[0, "err"], good.loc[1, "err"] = 0.0, np.nan
    table = pd.concat([good, pd.DataFrame({"net": "b", "n": [10, 20], "err": [0.2, 0.1]})])
    table.to_csv(tmp_path / "p.csv", index=False)
    words = ["fit", "--points", str(tmp_path / "p.csv"), "--x", "n", "--y", "err", "--group", "net"]
    assert main([*words, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["fits"]
    assert first["n_points"] == len(sizes) - 2
    assert "2 points left out" in first["notes"][0]
    assert (second["status"], second["params"]["A"]) == ("failed", None)
    assert "2 sizes for the 3 parameters" in second["notes"][0]
    assert main(words) == 0
    assert "left out" in capsys.readouterr().out


def test_the_module_runs_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "no-such-command"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no-such-command" in done.stderr
