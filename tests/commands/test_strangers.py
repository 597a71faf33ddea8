"""A results folder of a stranger: it is refused or shown in a line, and reaches nothing outside."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated import fill_study

from jobs.cli.main import main
from scaling.recipes.registry import find_recipe
from scaling.store.digest import SEALED, SHA256
from scaling.study import Grid, Study

SECRET = "precious"
# The terminal's title, a link, the colour red, text from right to left, and a C1 control.
ESCAPES = "\x1b]0;owned\x07\x1b]8;;http://evil\x07\x1b[31m\u202eevil\x9b2J"
SENT = ("\x1b", "\x07", "\u202e", "\x9b")
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>|[x](javascript:alert(3))"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("strangers") / "out"
    grid = Grid(dataset=("mnist",), n_train=(911, 1823), recipe=("1989",), seeds=(0, 1))
    fill_study(out, Study(name="t", question="Why?", grids=(grid,)), lambda _: 0.1)
    return out


@pytest.fixture
def out(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "out"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "settings.json").write_text(SECRET)
    return folder


def rewrite(out: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = out / "studies" / "t.json"
    plan = json.loads(path.read_text())
    plan = {key: value for key, value in plan.items() if key not in (SEALED, SHA256)}
    changed = change(plan)
    path.write_text(changed if isinstance(changed, str) else json.dumps(plan))


def first(plan: dict[str, Any]) -> dict[str, Any]:
    cell: dict[str, Any] = plan["cells"][0]
    return cell


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "nested": lambda p: json.dumps(p).replace('"Why?"', "[" * 200_000 + "]" * 200_000),
    "another name": lambda p: p.update(name="u"),
    "a path": lambda p: p.update(name="../../outside/settings"),
    "no cells": lambda p: p.pop("cells"),
    "cells in words": lambda p: p.update(cells="many"),
    "no recipe": lambda p: first(p).pop("recipe"),
    "recipe in words": lambda p: first(p).update(recipe="1989"),
    "n_test below 0": lambda p: first(p).update(n_test=-5),
    "n_train in words": lambda p: first(p).update(n_train="911"),
    "width without end": lambda p: json.dumps(p).replace('"width": 1.0', '"width": 1e999'),
    "a huge number": lambda p: json.dumps(p).replace('"width": 1.0', f'"width": {"9" * 5000}'),
    "no members": lambda p: first(p).update(members=[]),
    "a member of nothing": lambda p: first(p).update(members=[None]),
    "an id that is a path": lambda p: first(p)["members"][0].update(run_id="../../x"),
    "an id of controls": lambda p: first(p).update(cell_id=ESCAPES),
    "a long name": lambda p: first(p)["recipe"].update(name="x" * 100_000),
    "a recipe of controls": lambda p: first(p)["recipe"].update(name=ESCAPES),
    "tricks of words": lambda p: first(p)["recipe"].update(tricks=["relu"]),
    "notes in words": lambda p: p.update(notes=[3]),
    "a tuning of nothing": lambda p: p.update(tuning={}),
    "a tuning without what was published": lambda p: p.update(
        tuning={
            **{"total": 1, "published": {}, "widened": [], "suggestions": [], "fixed": {}},
            "space": [
                {"name": "lr", "scale": "log"}
                | {key: [0.1, 1.0] for key in ("range", "first_range", "edges")}
            ],
        }
    ),
    "a tuning of words": lambda p: p.update(
        tuning={"total": 1, "published": {}, "space": [7], "widened": [], "suggestions": []}
    ),
    "no object": lambda _: "[]",
    "nothing": lambda _: "",
    "no text": lambda _: "\x00\x01",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_plan_is_one_line(
    name: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(out, HOSTILE[name])
    command = ("status", "report", "fit")[len(name) % 3]  # all read plans alike
    assert main([command, str(out)]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert len(said) < 800
    assert "studies/t.json" in said
    assert not any(code in said for code in SENT)


def test_a_hostile_plan_is_verified_without_a_traceback(out: Path) -> None:
    plan = (out / "studies" / "t.json").read_text()
    for change in HOSTILE.values():
        (out / "studies" / "t.json").write_text(plan)
        rewrite(out, change)
        assert main(["verify", str(out), "--sample", "0"]) in (0, 1, 2)


def test_damaged_records_are_named_and_the_rest_is_reported(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [b"", b"[" * 200_000, b'{"study": 3}', b"{}", b"\xff\xfe", b"null", b"[]"]
    names = [f"{folder}/{i}.json" for folder in ("runs", "forecasts") for i in range(len(bodies))]
    for name, body in zip([*names, "bench.json"], [*bodies, *bodies, b"[]"], strict=True):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(body)
    assert main(["report", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(names) + 1
    text = (out / "report.md").read_text()
    for name, line in zip([*names, "bench.json"], said, strict=True):
        assert f"{name} cannot be read" in line
        assert line.endswith("delete it, or run a sweep again and it is put aside")
        assert f"{name} cannot be read" in text


@pytest.mark.parametrize("folder", ["figures", ".part", "studies", "metrics"])
def test_a_folder_that_is_a_link_out_of_the_results_is_refused(
    folder: str, out: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if (out / folder).exists():
        (out / folder).rename(outside / folder)
    (out / folder).symlink_to(outside / folder if folder in ("studies", "metrics") else outside)
    before = sorted(outside.rglob("*"))
    assert main(["report", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "is a link that leads out of the folder" in said[0]
    assert sorted(outside.rglob("*")) == before


def test_files_that_are_links_are_replaced_and_not_followed(out: Path, outside: Path) -> None:
    (out / "figures").mkdir()
    names = ("report.md", "numbers.json", "report.html", "figures/learning_curves.svg")
    for name in names:
        (out / name).symlink_to(outside / "settings.json")
    assert main(["report", str(out)]) == 0
    assert (outside / "settings.json").read_text() == SECRET
    assert not any((out / name).is_symlink() for name in names)


def test_a_page_among_the_results_that_is_a_link_is_refused(
    out: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "page.html").symlink_to(outside / "settings.json")
    assert main(["report", str(out), "--html", str(out / "page.html")]) == 2
    assert "is a link among the results" in capsys.readouterr().err
    assert (outside / "settings.json").read_text() == SECRET


def test_a_record_that_is_a_link_out_of_the_results_is_not_read(
    out: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "runs").mkdir()
    (out / "runs" / "x.json").symlink_to(outside / "settings.json")
    assert main(["report", str(out)]) == 2
    assert "is a link that leads out of the folder" in capsys.readouterr().err


def test_a_link_within_the_results_is_followed(out: Path) -> None:
    (out / "metrics").rename(out / "elsewhere")
    (out / "metrics").symlink_to("elsewhere")
    assert main(["report", str(out)]) == 0


@pytest.mark.parametrize("command", ["status", "fit", "report", "verify"])
def test_no_path_of_a_plan_is_opened(command: str, out: Path, tmp_path: Path) -> None:
    own = tmp_path / "mnist.npz"
    np.savez(own, x_train=np.zeros((2, 16, 16), np.uint8))
    rewrite(out, lambda p: [c.update(source=str(own), start_source=str(own)) for c in p["cells"]])
    opened: list[str] = []

    def note(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            opened.append(str(args[0]))

    sys.addaudithook(note)
    words = ["--sample", "0"] if command == "verify" else []
    assert main([command, str(out), *words]) in (0, 1)
    assert len(opened) > 3
    assert str(own) not in opened


def test_nothing_obeys_the_text_of_a_folder(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{ESCAPES} {MARKUP}"
    rewrite(out, lambda p: p.update(question=text, command=text, notes=[text]))
    rewrite(out, lambda p: [cell.update(note=text) for cell in p["cells"]])
    for words in (["status", out], ["report", out], ["fit", out], ["verify", out, "--sample", "0"]):
        main([str(word) for word in words])
    said = "".join(capsys.readouterr())
    assert not any(code in said for code in SENT)
    assert "\\x1b]0;owned" in said
    for name in ("report.md", "report.html"):
        page = (out / name).read_text()
        assert not any(code in page for code in SENT)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert name == "report.html" or "](javascript:" not in page


def test_markdown_and_figures_obey_no_recipe(tmp_path: Path) -> None:
    """Half a formula is one to Matplotlib, and its end in another name makes it whole."""
    out = tmp_path / "out"
    named = replace(find_recipe("1989"), name="$x^{$ " + MARKUP.replace("/", ""))
    grid = Grid(dataset=("mnist",), n_train=(911, 1823), recipe=(named,), seeds=(0, 1))
    fill_study(out, Study(name="t", question="Why?", grids=(grid,)), lambda _: 0.1)
    assert main(["report", str(out)]) == 0
    text = (out / "report.md").read_text()
    assert "$x^{$" in text
    assert "<script>" not in text
    assert "](javascript:" not in text
    assert "With 2 times the training images (911 to 1,823)" in text
    assert "$x^{$" in (out / "figures" / "learning_curves.svg").read_text()


def test_a_pipe_in_place_of_a_file_is_not_waited_for(out: Path) -> None:
    for kind in ("runs/x.json", "bench.json", "studies/u.json"):
        (out / kind).parent.mkdir(exist_ok=True)
        os.mkfifo(out / kind)
    assert main(["report", str(out)]) in (0, 2)


def test_a_pipe_in_place_of_data_or_points_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x.npz", "x.csv", "x.parquet"):
        os.mkfifo(tmp_path / name)
    words = ["--x", "n", "--y", "e", "--points"]
    assert main(["fit", *words, str(tmp_path / "x.csv")]) == 2
    assert main(["fit", *words, str(tmp_path / "x.parquet")]) == 2
    assert main(["train", "--dataset", str(tmp_path / "x.npz"), "--n-train", "9"]) == 2
    said = capsys.readouterr().err
    assert said.count("it is no regular file") == 3
