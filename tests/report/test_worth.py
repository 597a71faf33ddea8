"""Test effective data and the compute-optimal frontier."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from printed import unknown_numbers
from simulated import fill_study
from truths import truth

from analysis import load
from analysis.effects.decision_rules import depends_on_size
from analysis.laws.frontier import frontier
from analysis.report.numbers import plain
from analysis.report.sections.frontier import draw_frontier, measure_frontier, show_frontier
from analysis.report.sections.multiplier_plot import worth_figure
from analysis.results.cell_results import Cells
from analysis.stats.effective_data import data_multipliers
from jobs.studies import find_study
from scaling.errors import InputError

SIZES = np.array([911, 1823, 3646, 7291, 14582, 29164, 50000], float)


def drawn(errors: np.ndarray, seed: int, sd: float = 0.02) -> np.ndarray:
    """Return replicates in which both curves share half of their noise, as crossed draws do."""
    shared = np.random.default_rng(0).normal(0, sd, (500, 1))
    own = np.random.default_rng(seed).normal(0, sd, (500, len(errors)))
    return np.asarray(errors * np.exp(shared + own))


def test_a_trick_worth_four_times_the_data_is_found_to_be() -> None:
    base, trick = 4 * SIZES**-0.5, 4 * (4 * SIZES) ** -0.5
    found = data_multipliers(SIZES, drawn(base, 1), SIZES, drawn(trick, 2))
    for m in found.multipliers[:4]:
        assert m.value == pytest.approx(4, rel=0.1)
        assert m.low < 4 < (m.high or np.inf)
    assert found.slope_interval is not None
    assert found.slope_interval[0] < 0 < found.slope_interval[1]
    assert depends_on_size(found.slope_interval) == "undecided at this precision"


def test_where_the_baseline_never_gets_there_only_a_bound_is_known() -> None:
    base, trick = 0.02 + 4 * SIZES**-0.5, 0.2 * SIZES**-0.5
    found = data_multipliers(SIZES, drawn(base, 1), SIZES, drawn(trick, 2))
    last = found.multipliers[-1]
    assert last.value is last.high is None
    assert last.low == last.limit == 1.0
    assert depends_on_size(found.slope_interval) == "cannot be determined by this study"


def test_a_worth_that_shrinks_with_the_data_is_seen() -> None:
    base, trick = 4 * SIZES**-0.5, 1.0 * SIZES**-0.4
    found = data_multipliers(SIZES, drawn(base, 1, 0.005), SIZES, drawn(trick, 2, 0.005))
    assert found.slope == pytest.approx(0.4 / 0.5 - 1, abs=0.05)
    assert depends_on_size(found.slope_interval) == "supported"


def test_a_trick_that_harms_at_the_smallest_size_is_worth_less_than_one() -> None:
    base, trick = 4 * SIZES**-0.5, 6 * SIZES**-0.5
    found = data_multipliers(SIZES, drawn(base, 1), SIZES, drawn(trick, 2))
    assert found.multipliers[0].low == 0
    assert found.multipliers[-1].value == pytest.approx((4 / 6) ** 2, rel=0.1)


def test_curves_that_were_not_drawn_together_are_refused() -> None:
    with pytest.raises(InputError, match="drawn together"):
        data_multipliers(SIZES, np.ones((5, 7)), SIZES, np.ones((6, 7)))
    with pytest.raises(InputError, match="two sizes or more"):
        data_multipliers([1.0], np.ones((5, 1)), SIZES, np.ones((5, 7)))


def test_the_figure_shows_bounds_as_arrows() -> None:
    base, trick = 0.02 + 4 * SIZES**-0.5, 2 * SIZES**-0.5
    found = data_multipliers(SIZES, drawn(base, 1), SIZES, drawn(trick, 2))
    fig = worth_figure({"all tricks": found})
    arrows = [line for line in fig.axes[0].lines if line.get_marker() == "^"]
    assert len(arrows) == sum(m.high is None for m in found.multipliers) > 0


def surface(epochs: tuple[int, ...] = (5, 20)) -> pd.DataFrame:
    rows = [
        {
            "n_train": n,
            "n_params": p,
            "epochs": e,
            "train_flop": 6.0 * n * p * e,
            "error": 0.01 + 3 * n**-0.5 + 8 * p**-0.6 + 0.3 / e**2,
        }
        for n in SIZES
        for p in (2500, 9760, 38000, 150000)
        for e in epochs
    ]
    return pd.DataFrame(rows)


def test_the_frontier_is_the_surfaces_own_optimum() -> None:
    """For E + A/N^a + B/P^b the best n_train grows as budget^(b/(a+b))."""
    fine = np.geomspace(2500, 150000, 40).astype(int)
    cells = pd.DataFrame(
        [
            {
                "n_train": n,
                "n_params": p,
                "epochs": 5,
                "train_flop": 30.0 * n * p,
                "error": 0.01 + 3 * n**-0.5 + 8 * p**-0.6,
            }
            for n in SIZES
            for p in fine
        ]
    )
    budgets = np.geomspace(2e9, 3e10, 4)
    found, _ = frontier(cells, list(budgets))
    inside = [best for best in found if not best.at_edge]
    slope = np.polyfit(
        np.log([b.train_flop for b in inside]), np.log([b.n_train for b in inside]), 1
    )[0]
    assert len(inside) >= 3
    assert slope == pytest.approx(0.6 / 1.1, abs=0.1)
    assert all(b.low <= b.error * (1 + 1e-9) and b.error <= b.high * (1 + 1e-9) for b in inside)


def test_more_compute_is_never_worse_and_too_little_buys_nothing() -> None:
    found, surfaces = frontier(surface(), [1.0, 1e9, 1e11, 1e12])
    assert set(surfaces) == {5, 20}
    assert [best.train_flop for best in found] == [1e9, 1e11, 1e12]
    assert found[0].error > found[1].error > found[2].error
    assert found[2].at_edge


def test_a_frontier_needs_a_surface() -> None:
    with pytest.raises(InputError, match="no column train_flop"):
        frontier(surface().drop(columns="train_flop"), [1e9])
    with pytest.raises(InputError, match="needs 5 cells"):
        frontier(surface().iloc[:1], [1e9])


def test_the_report_has_the_frontier_of_what_was_trained_over_widths(tmp_path: Path) -> None:
    """Cells on no surface are points of it; with fewer than three widths there is no frontier."""
    grid, epochs = find_study("grid"), find_study("epochs")
    fill_study(tmp_path, grid, truth, seeds=range(2), only=lambda c: c.recipe.name == "1989")
    fill_study(
        tmp_path, epochs, truth, seeds=range(2),
        only=lambda c: (c.recipe.name, c.n_train, c.split) == ("1989", 7291, "tune"),
    )  # fmt: skip
    data = plain(measure_frontier(Cells(load(tmp_path))))
    (row,) = data["recipes"]
    assert (row["epochs"], row["widths"], row["cells"]) == ([23], [1, 2, 4], 12)
    assert {point["epochs"] for point in row["others"]} >= {20, 40, 80}
    best = [one["error"] for one in row["best"]]
    assert best == sorted(best, reverse=True)
    assert (row["best"][-1]["width"], row["best"][-1]["n_train"]) == (4, pytest.approx(50_000))
    section = show_frontier(data)
    assert {picture.name for picture in section.pictures} == draw_frontier(data).keys()
    printed = [*section.text, *(c for t in section.tables for r in t.rows for c in r)]
    assert unknown_numbers("\n".join(printed), data) == []
    narrow = tmp_path / "narrow"
    fill_study(narrow, grid, truth, seeds=range(2), only=lambda c: c.width < 4)
    assert measure_frontier(Cells(load(narrow))) is None
