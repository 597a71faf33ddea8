"""Test what notebooks and the REPL show of results, fits and reports."""

import json
import struct
from pathlib import Path

import pytest
from power_laws import fill

from analysis import fit, load, report
from scaling.store.store import Store

POINTS = [911, 1823, 3646, 7291], [0.114, 0.086, 0.068, 0.055]
SHORT = 1000  # characters


def pixels(png: bytes) -> tuple[int, int]:
    assert png[:4] == b"\x89PNG"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_a_plot_shows_itself_in_a_notebook_and_saves_itself_in_a_script(tmp_path: Path) -> None:
    """IPython calls `_repr_png_`, whether it is installed or not."""
    drawn = fit(*POINTS).plot()
    assert min(pixels(drawn._repr_png_())) > 300
    drawn.savefig(tmp_path / "fit.png", dpi=50)
    assert pixels((tmp_path / "fit.png").read_bytes()) == (250, 180)
    drawn.figure.savefig(tmp_path / "fit.svg")
    assert "<svg" in (tmp_path / "fit.svg").read_text()


def test_ipython_finds_the_picture() -> None:
    formatters = pytest.importorskip("IPython.core.formatters", reason="IPython is not installed")
    data, _ = formatters.DisplayFormatter().format(fit(*POINTS).plot())
    assert "image/png" in data


def test_axes_of_ones_own_are_drawn_into() -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert fit(*POINTS).plot(ax) is ax


def test_what_is_loaded_is_shown_in_a_few_lines(tmp_path: Path) -> None:
    """A folder of 2,000 planned models prints as much as one of ten."""
    out = fill(tmp_path, sizes=(911, 1823), seeds=(0, 1))
    one = Store(out).read_plans()["quickstart"]
    cells = [
        {**cell, "cell_id": f"{cell['cell_id']}-{i}", "members": cell["members"] * 50}
        for i in range(10)
        for cell in one["cells"]
    ]
    for number in range(9):
        plan = one | {"name": f"study{number}", "cells": cells, "question": "Why? <b>" * 100}
        Store(out).write_plan(plan)
    results = load(out)
    for said in (repr(results), str(results), repr(results.state), repr(fit(*POINTS))):
        assert len(said) < SHORT
    text = repr(results)
    for part in ("8 rows", ".models", ".metrics", "10 studies", "and 5 more", "0 failures"):
        assert part in text
    page = results._repr_html_()
    assert len(page) < 5 * SHORT
    assert "<b>" not in page
    assert "quickstart" in page


def test_the_numbers_of_a_report_are_shown_by_their_keys(tmp_path: Path) -> None:
    numbers = report(fill(tmp_path, sizes=(911,), seeds=(0,)))
    assert len(repr(numbers)) < SHORT
    assert "curves" in repr(numbers)
    assert json.loads(json.dumps(numbers)) == numbers
