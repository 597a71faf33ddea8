"""Test that figures keep their axes, whatever the length and the number of labels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from power_laws import fill

from analysis import load
from analysis.compare.plot import comparison_figure
from analysis.laws.curves import Curve, find_curves
from analysis.present.legends import MOST, inches, place_legend, row_labels, shorten
from analysis.present.style import styled
from analysis.report.figures import learning_figure, scaling_figure
from analysis.report.sections import (
    ablation,
    comparison_plots,
    epochs,
    forecasts,
    frontier,
    ladder_plot,
    outlook,
    screening,
)
from analysis.report.sections.multiplier_plot import worth_figure
from analysis.stats.effective_data import EffectiveData, Multiplier

LEAST = 0.6  # of a figure's width and of its height
CHANGE = {"change": -0.1, "low": -0.2, "high": 0.1, "level": 0.9}
SIZES = (911, 1823, 3646, 7291)


def shares(fig: Figure) -> tuple[float, float]:
    """Return the shares of its width and height that a figure's axes span."""
    fig.draw_without_rendering()
    boxes = [ax.get_position() for ax in fig.axes if ax.get_visible()]
    columns, rows = ({round(getattr(box, end), 2) for box in boxes} for end in ("x0", "y0"))
    wide = max(box.x1 for box in boxes) - min(box.x0 for box in boxes)
    high = max(box.y1 for box in boxes) - min(box.y0 for box in boxes)
    if len(rows) > 1 and len(columns) == 1:
        high = sum(box.height for box in boxes)
    return wide, high


def names(count: int, length: int) -> list[str]:
    words = "a recipe of many words about its learning rate and W" * (1 + length // 40)
    return [f"{i} {words[:length]} {i}" for i in range(count)]


def cells(titles: list[str]) -> list[dict[str, Any]]:
    """Return rows of a comparison, of some sizes each."""
    row = {"model": "lecun1989", "width": 1.0, "batch_size": 1, "epochs": 3, "n_macs": 1, **CHANGE}
    row |= {"n_test": 1000, "base": "1989", "seeds": 2, "planned": 2, "change": CHANGE}
    row |= {"against": "1989", "error": 0.1, "low": 0.08, "high": 0.12}
    return [
        row | {"title": name, "line_title": name, "tick": name, "line": line, "n_train": n}
        for line, name in enumerate(titles)
        for n in SIZES
    ]


def lines(titles: list[str]) -> Figure:
    return comparison_plots.draw({"axis": "n_train", "rows": cells(titles), "id": "s"})["s"]


def forest(titles: list[str]) -> Figure:
    rows = cells(titles)[:: len(SIZES)]
    rows = [row | {"against": titles[i % 2 - 1]} for i, row in enumerate(rows)]
    return comparison_plots.draw({"axis": None, "rows": rows, "id": "s", "margin": 0.1})["s"]


def of_epochs(titles: list[str]) -> Figure:
    row = {"epochs": [5, 10, 20], "val_errors": [0.1, 0.05, 0.04], "best": 20, "fixed": 10}
    rows = [row | {"title": name, "n_train": n, "val_n": 100} for name in titles for n in SIZES[:2]]
    return epochs.draw({"rows": rows, "id": "s"})["s"]


def of_screening(titles: list[str]) -> Figure:
    row = {"epochs": 5, "val_errors": [0.1, 0.12], "val_error": 0.11, "seeds": 2}
    return screening.draw({"rows": [row | {"title": n, "label": n} for n in titles], "id": "s"})[
        "s"
    ]


def of_worth(titles: list[str]) -> Figure:
    rows = [{"trick": name, **dict.fromkeys(ablation.WAYS, CHANGE)} for name in titles]
    return ablation.draw({"tricks": rows, "id": "s"})["s"]


def of_ladder(titles: list[str]) -> Figure:
    row = {"misses": [8, 9], "n_drawn": 2007, "n_test": 10_000, "n_train": 7291, "one_run": [5, 12]}
    row |= {"interval_drawn": [6, 11], "mean_drawn": 8.0, "published": 7}
    return ladder_plot.draw({"rows": [row | {"what": n} for n in titles], "id": "s"})["s"]


def of_multipliers(titles: list[str]) -> Figure:
    many = tuple(Multiplier(n_train=n, value=2.0, low=1.5, high=3.0, limit=9.0) for n in SIZES)
    found = EffectiveData(multipliers=many, slope=None, slope_interval=None, level=0.9)
    return worth_figure(dict.fromkeys(titles, found))


def of_forecasts(titles: list[str]) -> Figure:
    row = {"error": 0.1, "low": 0.05, "high": 0.2, "actual": 0.1}
    rows = [row | {"curve": name, "n_train": n} for name in titles for n in SIZES]
    return forecasts.draw_forecasts({"rows": rows})["forecasts"]


def of_frontier(titles: list[str]) -> Figure:
    points = [{"width": 1.0, "train_flop": 1e9, "error": 0.1}]
    line = [{"train_flop": f, "error": 0.1, "low": 0.09, "high": 0.2} for f in (1e9, 1e10)]
    rows = [{"title": name, "line": line, "points": points, "others": []} for name in titles]
    return frontier.draw_frontier({"recipes": rows})["frontier"]


def of_profiles(titles: list[str]) -> Figure:
    one = {"value": 0.5, "low": 0.4, "high": 0.6, "trace": [[0.4, 1], [0.5, 0], [0.6, 1]]}
    rows = [{"curve": name, "alpha": one, "E": one} for name in titles]
    return outlook.draw_profiles({"level": 0.9, "profiles": rows})["profiles"]


def of_comparison(titles: list[str]) -> Figure:
    rows = [
        {"a": cell, "b": cell | {"title": f"other {cell['title']}"}, "verdict": "identical"}
        for cell in cells(titles)[:: len(SIZES)]
    ]
    return comparison_figure(rows)


def test_whole_words_are_left_out() -> None:
    text = "cross-entropy, begun on mnist (learning rate 0.02, 200 images)"
    for wide in (1.5, 2.0, 3.0):
        found = shorten(text, wide, 8)
        assert set(found.split(" ")) <= {*text.split(" "), "…"}
        assert "…" in found
    assert "…" in shorten("x" * 300, 1.0, 8)


DRAWN: list[Callable[[list[str]], Figure]] = [
    *(lines, forest, of_epochs, of_screening, of_worth, of_ladder, of_multipliers),
    *(of_forecasts, of_frontier, of_profiles, of_comparison),
]


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize(("count", "length"), [(1, 120), (6, 70), (12, 200)])
def test_axes_keep_their_share(
    draw: Callable[[list[str]], Figure], count: int, length: int
) -> None:
    wide, high = shares(draw(names(count, length)))
    assert wide >= LEAST
    assert high >= LEAST


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Curve], Any]:
    results = load(fill(tmp_path_factory.mktemp("curves"), sizes=SIZES, seeds=(0, 1)))
    return find_curves(results), results.metrics


@pytest.mark.parametrize(("count", "length"), [(1, 120), (4, 8), (4, 90), (6, 70), (12, 200)])
@pytest.mark.parametrize("test_sets", [1, 2])
def test_curves_keep_their_share(
    curves: tuple[list[Curve], Any], count: int, length: int, test_sets: int
) -> None:
    found = [
        replace(curve, fixed=curve.fixed | {"recipe": name, "test_set_id": f"set{number}"})
        for number in range(test_sets)
        for name, curve in zip(names(count, length), 6 * curves[0], strict=False)
    ]
    for fig in (scaling_figure(found), learning_figure(found, curves[1])):
        wide, high = shares(fig)
        assert wide >= LEAST
        assert high >= LEAST


@given(
    st.lists(st.text("abcde WMi-_,.", min_size=1, max_size=150), min_size=1, max_size=40),
    st.sampled_from([3.5, 6.4, 12.0]),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_labels_leave_the_axes_their_share(labels: list[str], width: float) -> None:
    @styled
    def draw() -> Figure:
        fig = Figure(figsize=(width, 3.4), layout="constrained")
        ax = fig.subplots()
        for label in labels:
            ax.plot([0, 1], [0, 1], label=f"x{label}")
        ax.set_yticks(range(len(labels)), row_labels(fig, labels, lines=1))
        place_legend(fig, ax)
        return fig

    fig = draw()
    legend = fig.legends[0].get_texts()
    assert len(legend) == min(len(labels), MOST)
    wide, high = shares(fig)
    assert wide >= LEAST - (0.07 if width < 5 else 0)  # of a narrow figure the margins take more
    assert high >= LEAST


def test_a_label_that_is_too_long_loses_its_middle_and_others_stay() -> None:
    assert shorten("+ cross-entropy", 2, 9) == "+ cross-entropy"
    long = shorten("the first of many words that nobody can read, 23 epochs", 2, 9)
    assert long.startswith("the first")
    assert long.endswith("23 epochs")
    assert "…" in long
    assert inches(long, 9) <= 2
    two = shorten("the first of many words that nobody can read, 23 epochs", 2, 9, lines=2)
    assert two.replace("\n", " ") == "the first of many words that nobody can read, 23 epochs"
    assert all(inches(line, 9) <= 1 for line in shorten("W" * 90, 1, 9, lines=3).split("\n"))


def test_few_short_labels_lie_in_the_axes() -> None:
    fig = of_multipliers(["+ shifts", "ReLU alone"])
    assert fig.axes[0].get_legend() is not None
    assert tuple(np.round(fig.get_size_inches(), 2)) == (6.4, 4.0)
    assert of_multipliers(names(5, 10)).axes[0].get_legend() is None


def test_the_figure_of_long_names_can_be_looked_at(tmp_path: Path) -> None:
    lines(names(6, 70)).savefig(tmp_path / "lines.png")
    assert (tmp_path / "lines.png").stat().st_size > 10_000
