"""Test the section on engines, for cells whose models two engines have trained."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated import fill_study

from analysis import load, report
from analysis.report.sections import engines
from scaling.study import Cell, Grid, Study

STUDY = Study(
    name="both",
    question="?",
    grids=(Grid(dataset=("mnist",), n_train=(911, 3646), recipe=("1989",), seeds=(0,)),),
)


def both(seed: int) -> tuple[str, str]:
    return ("population", "cuda") if seed % 2 else ("compiled", "cpu")


def fill(out: Path, seeds: int, factor: float = 1.0) -> None:
    """Train half of the members by each engine; the second makes this factor more misses."""
    for odd in (0, 1):
        fill_study(
            out,
            STUDY,
            lambda _: 0.05 * (factor if odd else 1.0),  # noqa: B023  used at once
            seeds=range(seeds),
            trained_by=both,
            leave_out=lambda _, seed: seed % 2 != odd,  # noqa: B023
        )


def test_engines_that_agree_are_said_to(tmp_path: Path) -> None:
    fill(tmp_path, seeds=40)
    numbers = report(tmp_path)["engines"]
    assert [(row["n_one"], row["n_other"]) for row in numbers["rows"]] == [(20, 20)] * 2
    assert numbers["differ"] == 0
    for row in numbers["rows"]:
        assert (row["one"], row["other"]) == ("compiled/cpu", "population/cuda")
        assert row["difference"] == pytest.approx(row["mean_other"] - row["mean_one"])
        assert row["low"] < row["difference"] < row["high"]
        assert row["p"] <= row["p_holm"] <= 1
    text = (tmp_path / "report.md").read_text()
    assert "0 of 2 comparisons of engines within a cell differ" in text
    assert "| compiled/cpu (20) | population/cuda (20) |" in text


def test_an_engine_that_is_worse_is_found_out(tmp_path: Path) -> None:
    fill(tmp_path, seeds=40, factor=1.15)
    numbers = engines.measure(load(tmp_path))
    assert numbers
    assert numbers["differ"] == numbers["beyond"] == 2
    assert all(row["low"] > 0 for row in numbers["rows"])


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    found = [
        engines.compare(pd.Series(rng.poisson(90, 8)), pd.Series(rng.poisson(90, 20)))
        for _ in range(1000)
    ]
    assert np.mean([row["low"] <= 0 <= row["high"] for row in found]) == pytest.approx(
        0.9, abs=0.03
    )
    assert np.mean([row["p"] < 0.1 for row in found]) == pytest.approx(0.1, abs=0.03)


def test_one_engine_or_too_few_members_are_not_compared(tmp_path: Path) -> None:
    fill_study(tmp_path / "one", STUDY, _truth, seeds=range(8))
    assert report(tmp_path / "one")["engines"] is None
    fill_study(tmp_path / "few", STUDY, _truth, seeds=range(5), trained_by=both)
    assert engines.measure(load(tmp_path / "few")) is None


def test_equal_misses_have_no_spread() -> None:
    row = engines.compare(pd.Series([5, 5, 5]), pd.Series([5, 5, 5]))
    assert (row["low"], row["difference"], row["high"], row["p"]) == (0, 0, 0, 1)


def _truth(_: Cell) -> float:
    return 0.05
