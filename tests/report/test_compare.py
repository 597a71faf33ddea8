"""Test the comparison of two results folders: it finds planted differences, and no others."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated import difficulties, fill_study, measured, misses

from analysis import load
from analysis.api import write_comparison
from analysis.compare import compare
from analysis.compare.difference import (
    BY_BOTH,
    BY_IMAGE,
    BY_NOTHING,
    effect_between,
    p_value,
    unpaired_effect,
)
from analysis.compare.show import headline
from analysis.effects.decision_rules import FEWER_IN_B, IDENTICAL, MORE_IN_B, NOISE, UNTESTED
from analysis.effects.paired import Resampler
from analysis.present.links import strip_links
from jobs.cli.main import main
from scaling.study import Cell, Grid, Study

SIZES = (911, 1823, 3646, 7291)


def law(cell: Cell) -> float:
    return 0.12 * (cell.n_train / 911) ** -0.3


def folder(
    out: Path,
    truth: Callable[[Cell], float] = law,
    *,
    sizes: tuple[int, ...] = SIZES,
    recipes: tuple[str, ...] = ("1989",),
    seeds: tuple[int, ...] = (0, 1, 2, 3),
    **how: Any,
) -> Path:
    """Folders with the same number of cells have the same noise, others their own."""
    grid = Grid(dataset=("mnist",), n_train=sizes, recipe=recipes, seeds=seeds)
    fill_study(out, Study(name="data", question="?", grids=(grid,)), truth, **how)
    return out


def compared(a: Path, b: Path) -> dict[str, Any]:
    return compare(load(a), load(b))


def test_of_identical_folders_it_is_said_that_nothing_differs(tmp_path: Path) -> None:
    data = compared(folder(tmp_path / "a"), folder(tmp_path / "b"))
    assert data["nothing_differs"]
    assert data["identical"] == data["cost"]["cells"] == len(data["rows"]) == len(SIZES)
    assert data["models_identical"] == 16
    assert "Nothing differs" in headline(data)
    assert "16 models" in headline(data)
    for law_row in data["laws"]:
        assert law_row["params"]["alpha"]["interval"] == [0, 0]


def test_one_model_more_is_not_nothing(tmp_path: Path) -> None:
    whole = folder(tmp_path / "b")
    one = folder(tmp_path / "a", leave_out=lambda cell, seed: (cell.n_train, seed) == (911, 3))
    data = compared(one, whole)
    assert not data["nothing_differs"]
    assert data["models_identical"] < data["b"]["models"] == 16
    assert "Nothing differs" not in headline(data)


@pytest.mark.parametrize(("factor", "verdict"), [(0.6, FEWER_IN_B), (1.6, MORE_IN_B)])
def test_a_planted_difference_is_found_and_no_other(
    tmp_path: Path, factor: float, verdict: str
) -> None:
    def planted(cell: Cell) -> float:
        return law(cell) * (factor if cell.n_train == 3646 else 1.0)

    a = folder(tmp_path / "a")
    same_noise = compared(a, folder(tmp_path / "b", planted))
    assert {row["a"]["n_train"]: row["verdict"] for row in same_noise["rows"]} == {
        **dict.fromkeys(SIZES, IDENTICAL),
        3646: verdict,
    }
    other_noise = compared(a, folder(tmp_path / "c", planted, sizes=(*SIZES, 14582)))
    changed = [row for row in other_noise["rows"] if row["verdict"] != NOISE]
    assert [(row["a"]["n_train"], row["verdict"]) for row in changed] == [(3646, verdict)]
    assert changed == other_noise["rows"][:1]  # what changed comes first
    assert changed[0]["change"]["change"] == pytest.approx(factor - 1, abs=0.2)
    assert [cell["n_train"] for cell in other_noise["only_b"]] == [14582]
    assert other_noise["tested"] == len(SIZES)


def test_another_recipe_is_compared_with_the_only_one_there(tmp_path: Path) -> None:
    a = folder(tmp_path / "a")
    b = folder(tmp_path / "b", lambda cell: 0.5 * law(cell) ** 1.5, recipes=("ce",))
    data = compared(a, b)
    assert {row["match"] for row in data["rows"]} == {"another recipe"}
    assert data["rows"][0]["differing"] == ["recipe", "lr"]
    assert data["fewer"] == len(SIZES)
    alpha = next(row for row in data["laws"] if row["form"] == "power_law")["params"]["alpha"]
    assert alpha["interval"][0] < 0.15 < alpha["interval"][1]  # 1.5 x 0.3 against 0.3
    assert alpha["difference"] == pytest.approx(alpha["b"] - alpha["a"])
    assert data["cost"] == {"cells": 0, "a": None, "b": None}
    two = compared(a, folder(tmp_path / "c", recipes=("ce", "adamw")))
    assert two["rows"] == []  # which of the two would it be?


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"sizes": (50_000,)},
            "No cell of A has a counterpart in B. Only in A: 4 cells, only in B: 1.",
        ),
        ({"leave_out": lambda *_: True}, "B has no finished model"),
        ({"seeds": (0,), "truth": lambda cell: 2 * law(cell)}, "which decides nothing"),
        ({"seeds": (7, 8)}, "None of the 4 that were tested changed"),
    ],
    ids=["disjoint", "empty", "one seed", "other seeds"],
)
def test_it_says_what_cannot_be_said(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """Each comparison is a page with its text and its numbers."""
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b", **change)
    paths = write_comparison(load(a), load(b))
    assert [Path(path).name for path in paths] == [
        "comparison.html",
        "comparison.md",
        "comparison_numbers.json",
    ]
    page, text = (Path(path).read_text() for path in paths[:2])
    data = json.loads(Path(paths[2]).read_text())
    assert said in text
    assert said in strip_links(headline(data))
    assert "Cost and provenance" in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r' id="([^"]+)"', page))
    assert all(row["verdict"] in (NOISE, UNTESTED) for row in data["rows"])


def test_what_is_paired_is_what_is_shared() -> None:
    rng = np.random.default_rng(0)
    hard = difficulties(rng, 1000)

    def cell(seeds: tuple[int, ...], test_set_id: str = "simulated") -> Any:
        wrong = {seed: misses(rng, 0.1, hard, 1.0) for seed in seeds}
        return measured(wrong, test_set_id=test_set_id)

    a, resampler = cell((0, 1, 2)), Resampler(200)
    for b, by in (
        (cell((1, 2, 3)), BY_BOTH),
        (cell((2, 3, 4)), BY_IMAGE),
        (cell((0, 1, 2), "another"), BY_NOTHING),
    ):
        assert effect_between(a, b, resampler)[0] == by


@pytest.mark.parametrize("same_images", [True, False])
def test_intervals_of_cells_without_shared_seeds_hold_as_often_as_they_say(
    same_images: bool,
) -> None:
    """150 pairs of equal cells: about 90 % of intervals hold 0, and as many p-values exceed 0.1."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(150):
        hard = [difficulties(rng, 1000)] * 2 if same_images else [None, None]
        cells = []
        for of in hard:
            chosen = difficulties(rng, 1000) if of is None else of
            factors = np.exp(rng.normal(0, 0.1, 4))
            wrong = {s: misses(rng, 0.1, chosen, f) for s, f in enumerate(factors)}
            cells.append(measured(wrong))
        effect = unpaired_effect(*cells, same_images=same_images)
        p = p_value(effect)
        assert p is not None
        held += effect.low <= 0 <= effect.high
        assert (p < 0.1) == (not effect.low <= 0 <= effect.high)
    assert 0.86 < held / 150 < 0.99


def test_the_command_writes_the_page_where_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = folder(tmp_path / "a", sizes=(911,)), folder(tmp_path / "b", sizes=(911,))
    page = tmp_path / "page.html"
    assert main(["report", str(a), str(b), "--html", str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(page)
    assert "Nothing differs" in page.read_text()
    assert not (a / "comparison.html").exists()
    for wrong, message in (("nowhere", "is no results folder"), (str(tmp_path), "holds no study")):
        assert main(["report", str(a), wrong]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert len(error.splitlines()) == 1
