"""Test the report: it shows the measurements, survives damage, and is one page."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, look
from power_laws import INFO, fill
from printed import unknown_numbers

from analysis import load, report
from analysis.api import write_comparison
from analysis.laws.curves import find_curves
from scaling.errors import InputError
from scaling.recipes.registry import RECIPES, find_recipe


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = fill(tmp_path_factory.mktemp("whole"))
    return out, report(out)


@pytest.fixture(scope="module")
def filled(whole: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Add to that folder a comparison with a folder of other seeds."""
    out, other = whole[0], tmp_path_factory.mktemp("other")
    fill(other, sizes=(911, 1823), seeds=(5, 6), leave_out=1)
    write_comparison(load(out), load(other))
    return out


def test_the_report_finds_the_laws_it_was_given(whole: tuple[Path, dict[str, Any]]) -> None:
    numbers = whole[1]
    first, second = numbers["curves"]
    low, high = first["exponent"]["interval"]
    assert low < 0.5 < high
    assert low > 0.3
    assert numbers["cells"] == {"cells": 10, "finished": 10, "failed": 0, "missing": 0}
    assert numbers["models"] == 30
    assert second["sizes"][0]["n_train"] == 911
    comparison = numbers["comparison"]
    assert comparison["n_train"] == 14582
    assert comparison["interval"][0] < 2 < comparison["interval"][1]
    assert comparison["verdict"] == "more misses"


def test_all_files_are_written_and_say_the_same(whole: tuple[Path, dict[str, Any]]) -> None:
    out, numbers = whole
    assert json.loads((out / "numbers.json").read_text()) == numbers
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    for said in ("MNIST at 16×16", "A note to readers.", "scaling sweep quickstart --out here"):
        assert said in page
        assert said in text
    for curve in numbers["curves"]:
        for size in curve["sizes"]:
            assert f"{100 * size['error']:.2f} %" in text
            assert ", ".join(map(str, size["misses"])) in page
    for name in ("error_vs_n_train", "learning_curves", "future_forms", "future_trends"):
        assert (out / "figures" / f"{name}.svg").read_text().lstrip().startswith("<?xml")
        assert (out / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert f"figures/{name}.png" in text


def test_the_page_is_self_contained(whole: tuple[Path, dict[str, Any]]) -> None:
    page = (whole[0] / "report.html").read_text()
    assert '<h2 id="2055">' in page
    assert "cannot be determined from this study" in page
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "<script" not in page
    assert "{{" not in page


def test_drawn_digits_are_named_in_the_title(tmp_path: Path) -> None:
    info = replace(INFO, name="strokes", note="drawn, as MNIST cannot be had: offline")
    report(fill(tmp_path, info=info, sizes=(911,)))
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        title = re.search(r"<title>(.*)</title>|# (.*)", text)
        assert title
        assert "strokes (digits drawn by our own generator" in title[0]
        assert "MNIST cannot be had: offline" in text


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (0,)},
        {"sizes": (911,)},
        {"sizes": (911, 1823)},
        {"recipes": ("1989",)},
        {"seeds": (0,), "sizes": (911,), "recipes": ("1989",)},
        {"fail": True},
        {"leave_out": 30},
        {"leave_out": 29},
        {"leave_out": 7},
    ],
    ids=str,
)
def test_it_survives_what_is_missing(tmp_path: Path, change: dict[str, object]) -> None:
    numbers = report(fill(tmp_path, **change))  # type: ignore[arg-type]
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", page).lower())
    if "leave_out" in change:
        missing = sum(row["missing"] for row in numbers["missing"])
        assert missing == change["leave_out"]
        assert "not trained yet" in page
    if "fail" in change:
        assert numbers["cells"]["failed"] == 10
        assert "weights are not finite after epoch 1" in page
        assert "No model has finished yet" in page


def test_rows_of_an_earlier_definition_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path, sizes=(911, 1823))  # the plan is now this one; the other rows are still there
    results = load(tmp_path)
    assert set(results.models["n_train"]) == {911, 1823}
    assert len(results.models) == 12


def test_models_that_perfectly_agree_do_not_break_it(tmp_path: Path) -> None:
    """Without misses the errors are zero and have no logarithm."""
    fill(tmp_path)
    results = load(tmp_path)
    perfect = replace(
        results,
        models=results.models.assign(error=0.0, test_misses=0),
        wrong={run: np.zeros_like(wrong) for run, wrong in results.wrong.items()},
    )
    curves = find_curves(perfect)
    assert all(fit.status != "failed" for curve in curves for fit in curve.fits)
    report(perfect)


def test_a_folder_without_a_study_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no study"):
        load(tmp_path)


def test_the_page_can_go_elsewhere(tmp_path: Path) -> None:
    report(fill(tmp_path / "out", sizes=(911,)), html=tmp_path / "page.html")
    assert (tmp_path / "page.html").exists()
    assert not (tmp_path / "out" / "report.html").exists()
    with pytest.raises(InputError, match="cannot be written"):
        report(tmp_path / "out", html=tmp_path / "no" / "page.html")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("report.md", "numbers.json"), ("comparison.md", "comparison_numbers.json")],
)
def test_no_number_is_printed_that_is_not_among_the_numbers(
    filled: Path, text: str, numbers: str
) -> None:
    printed = (filled / text).read_text().replace(str(filled), "out")  # has digits of its own
    known = json.loads((filled / numbers).read_text())
    assert unknown_numbers(printed, known) == []
    assert unknown_numbers(f"{printed}\nIt is 0.0123457 or 98,765,431.", known) == [
        "0.0123457",
        "98,765,431",
    ]


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize(("name", "images"), [("report", 7), ("comparison", 1)])
def test_a_browser_shows_the_figures_and_nothing_runs_over_the_edge(
    filled: Path, tmp_path: Path, name: str, images: int, width: int, dark: bool
) -> None:
    """Render the page: images load, links have targets, and nothing comes from outside."""
    seen = look((filled / f"{name}.html").read_text(), tmp_path, width=width, dark=dark)
    assert len(seen["images"]) == images  # seven: also two of outlook and two of 2055
    assert min(seen["images"]) > 300
    assert seen["links"] > 5
    assert seen["lost"] == seen["twice"] == seen["requests"] == seen["console"] == []
    assert seen["over"] <= 0
    assert seen["dark"] == dark
    assert (sum(seen["paper"]) < 128 < sum(seen["ink"])) == dark


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium")
def test_the_browser_sees_what_is_wrong(tmp_path: Path) -> None:
    page = """<html><head><title>x</title></head><body><p id="a">a</p><p id="a">b</p>
    <a href="#nowhere">n</a><div style="width: 5000px">wide</div><img src="data:image/png;base64,x">
    <img src="http://127.0.0.1:9/x.png"><script>console.error("planted")</script></body></html>"""
    seen = look(page, tmp_path, width=390, dark=False)
    assert seen["images"] == [0, 0]
    assert seen["lost"] == ["#nowhere"]
    assert seen["twice"] == ["a"]
    assert seen["requests"] == ["http://127.0.0.1:9/x.png"]
    assert any("planted" in line for line in seen["console"])
    assert seen["over"] > 0


def test_recipes_have_names_that_people_read() -> None:
    from analysis.present.style import RECIPE_TITLES
    from scaling.recipes.ladder import LADDER

    assert LADDER.keys() <= RECIPE_TITLES.keys() <= {*RECIPES, "scratch", "fine_tune"}
    assert find_recipe("modern").name in RECIPE_TITLES
