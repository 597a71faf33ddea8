"""Test forecasts: they are made and stored before the measurement, then compared with it."""

import json
from pathlib import Path

import numpy as np
import pytest
from power_laws import INFO, SIZES, fill

from analysis import forecast, load
from analysis.api import predict_cells
from analysis.forecasts.ensemble import _open
from analysis.forecasts.preregistered import score_forecasts
from analysis.laws.forms import FORMS
from scaling.errors import InputError
from scaling.store.digest import open_json
from scaling.study import Grid, Study, plan, resolve


def planned(sizes: tuple[int, ...]) -> dict:  # type: ignore[type-arg]
    grid = Grid(n_train=sizes, recipe=("1989",), epochs=(3,), seeds=(0, 1, 2))
    study = Study(name="next", question="What next?", grids=(grid,))
    jobs = resolve(study, lambda _: (INFO.name, INFO))
    return plan(study, jobs, [0.0] * len(jobs))


def test_a_forecast_holds_the_curve_it_was_made_from() -> None:
    x = np.geomspace(500, 16000, 11)
    y = 0.01 + 4 * x**-0.5
    ahead = forecast(x, y, 0.01 * y, at=[32000, 64000, 128000])
    truth = 0.01 + 4 * np.array([32000, 64000, 128000]) ** -0.5
    assert (ahead.low < truth).all()
    assert (truth < ahead.high).all()
    assert np.abs(np.log(ahead.y / truth)).max() < 0.15
    assert (np.diff(ahead.high / ahead.low) > 0).all()  # the further, the wider
    assert sum(ahead.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1e9])
def test_a_forecast_does_not_depend_on_the_unit_of_small_losses(unit: float) -> None:
    x = 1000.0 * 2 ** np.arange(7)
    y = 2 + 50 * x**-0.5
    ahead, small = (forecast(x, y * times, at=[128_000]) for times in (1, unit))
    np.testing.assert_allclose(small.y, ahead.y * unit, rtol=0.02)
    assert small.high / small.low == pytest.approx(ahead.high / ahead.low, rel=0.1)


def test_a_forecast_says_what_it_needs() -> None:
    with pytest.raises(InputError, match="needs 4 sizes, got 3"):
        forecast([1, 2, 3], [0.3, 0.2, 0.1], at=10)
    with pytest.raises(InputError, match="must be positive"):
        forecast([1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1], at=-1)
    with pytest.raises(InputError, match="as long as each other"):
        forecast([1, 2, 3, 4], [0.3, 0.2, 0.1], at=10)
    x, y = [1, 2, 4, 8, 16], [0.5, 0.4, 0.3, 0.2, 0.1]
    for wrong in (0, -0.1, np.nan, np.inf):
        for name, curve in (
            ("x", ([*x[:4], wrong], y)),
            ("y", (x, [*y[:4], wrong])),
            ("se", (x, y, [*y[:4], wrong])),
        ):
            with pytest.raises(InputError, match=f"{name} must be positive and finite"):
                forecast(*curve, at=32)
    with pytest.raises(InputError, match="vector"):
        forecast(x, y, at=[[32, 64], [128, 256]])


def test_cells_are_forecast_once_and_never_after_they_are_trained(tmp_path: Path) -> None:
    results = load(fill(tmp_path))
    rows = predict_cells(results, planned((7291, 14582, 29164)), wanted=(), fit_to=None)
    assert [row["reason"] is None for row in rows] == [False, False, True]
    assert "trained already (3 models)" in rows[0]["reason"]
    row = rows[2]
    assert row["fitted_n_train"] == list(SIZES)
    truth = 4.0 * 29164**-0.5
    assert row["low"] < truth < row["high"]
    (file,) = (tmp_path / "forecasts").iterdir()
    assert open_json(file.read_bytes()) == row
    (before,) = score_forecasts(load(tmp_path))
    assert before["actual"] is before["inside"] is None
    fill(tmp_path, sizes=(*SIZES, 29164))
    (after,) = score_forecasts(load(tmp_path))
    assert after["actual"] == pytest.approx(truth, rel=0.1)
    assert after["inside"]
    again = predict_cells(load(tmp_path), planned((29164,)), wanted=(), fit_to=None)
    assert "trained already" in again[0]["reason"]
    assert len(list((tmp_path / "forecasts").iterdir())) == 1


def test_a_forecast_made_too_late_does_not_count(tmp_path: Path) -> None:
    results = load(fill(tmp_path))
    row = predict_cells(results, planned((29164,)), wanted=(), fit_to=None)[0]
    late = row | {"made_at": "2999-01-01T00:00:00+00:00"}
    results.store.write_file("forecasts/late.json", json.dumps(late).encode())
    fill(tmp_path, sizes=(*SIZES, 29164))
    (found,) = score_forecasts(load(tmp_path))
    assert found["made_at"] == row["made_at"]


def test_fewer_sizes_may_be_used_and_too_few_are_said(tmp_path: Path) -> None:
    results = load(fill(tmp_path))
    used = predict_cells(results, planned((29164,)), wanted=("*n29164*",), fit_to=7291)[0]
    assert used["fitted_n_train"] == [911, 1823, 3646, 7291]
    few = predict_cells(results, planned((29164,)), wanted=(), fit_to=4000)[0]
    assert few["reason"] == "3 smaller sizes are trained, it takes 4"
    with pytest.raises(InputError, match="no cell of next matches nothing"):
        predict_cells(results, planned((29164,)), wanted=("nothing",), fit_to=None)


def test_what_data_cannot_tell_apart_stays_finite() -> None:
    """Of exact points with parameters that do the same: the normal matrix has no inverse."""
    form = FORMS["power_law_floor"]
    for seed in range(20):
        same_N1 = np.random.default_rng(seed).normal(size=(7, 1))
        sd = _open(form, np.repeat(same_N1, 3, axis=1), np.array([[1.0, 1.0, 1.0]]), 0.0)
        assert 0 < sd[0] < 1e-6
        assert _open(form, np.repeat(same_N1, 3, axis=1), np.array([[1.0, -1.0, 0.0]]), 0.0) > 1
