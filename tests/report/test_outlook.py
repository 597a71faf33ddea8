"""Test forecasts in the report: fans, profiles of floor and exponent, and coverage."""

import json
from pathlib import Path

import numpy as np
import pytest
from power_laws import SIZES, fill

from analysis import load, report
from analysis.forecasts.outlook import measure_outlook
from analysis.laws.curves import find_curves
from analysis.laws.profile import profile


def test_the_report_shows_how_far_its_curves_reach(tmp_path: Path) -> None:
    data = report(fill(tmp_path))["outlook"]
    assert len(data["ahead"]) == len(data["profiles"]) == 2
    for fan, a in zip(data["ahead"], (4.0, 8.0), strict=True):
        first, last = fan["points"][0], fan["points"][-1]
        assert first["n_train"] == fan["largest"] == SIZES[-1]
        assert last["n_train"] == pytest.approx(10 * SIZES[-1])
        assert last["low"] < a * last["n_train"] ** -0.5 < last["high"]
        assert last["high"] / last["low"] > first["high"] / first["low"]
    for name in ("error_vs_n_train", "profiles", "holding"):
        assert (tmp_path / "figures" / f"{name}.svg").exists()
    text = (tmp_path / "report.md").read_text()
    bound = data["profiles"][0]["E"]
    assert bound["upper_bound"]  # these curves have no floor
    assert f"at most {100 * bound['high']:.2f} %" in text
    for row in data["holding"]["forms"].values():
        before, after = row["coverage"]["8"]
        assert after > before
    assert "forecasts within this study's own curves" in text
    json.dumps(data, allow_nan=False)


def test_curves_of_few_sizes_reach_nowhere(tmp_path: Path) -> None:
    curves = find_curves(load(fill(tmp_path, seeds=(0,), sizes=SIZES[:4])))
    data = measure_outlook(curves)
    assert len(data["ahead"]) == len(data["profiles"]) == 2
    assert data["holding"]["ours"] == []
    short = find_curves(load(fill(tmp_path / "short", seeds=(0,), sizes=SIZES[:3])))
    assert measure_outlook(short)["ahead"] == measure_outlook(short)["profiles"] == []


def test_a_trace_rises_from_the_best_to_the_end_of_the_interval() -> None:
    x = np.array(SIZES, float)
    y = (0.02 + 4 * x**-0.5) * np.exp(np.random.default_rng(0).normal(0, 0.01, len(x)))
    found = profile(x, y, 0.01 * y, parameter="alpha")
    values, rises = np.array(found.trace).T
    assert (np.diff(values) > 0).all()
    assert rises[values == found.value] == [0]
    assert np.interp(found.high or 0, values, rises) == pytest.approx(1, abs=0.02)
    assert np.interp(found.low or 0, values, rises) == pytest.approx(1, abs=0.02)
