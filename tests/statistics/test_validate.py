"""Test the backtest of extrapolation: windows, scores, the ensemble, and coverage."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.forecasts.backtest import Rolling, validate
from analysis.forecasts.calibration import learn_k
from analysis.forecasts.ensemble import CANDIDATES, COMBINED, forecast_windows
from analysis.laws.learning_curve import make_series, rolling_windows, split_window
from analysis.laws.widening import RATIOS, quantile, read_bank, widened_sd
from jobs.cli.main import main
from scaling.errors import InputError

SIZES = np.ceil(16 * 2 ** (np.arange(0, 93) / 8))
HOW = {"window": 8.0, "min_origin": 2048.0, "ratios": RATIOS}


@pytest.fixture(scope="session")
def curves_dir() -> Path:
    folder = os.environ.get("SCALING_CURVES_DIR", "")
    if not (folder and Path(folder).is_dir()):
        pytest.skip("needs real curves: SCALING_CURVES_DIR names no folder")
    return Path(folder)


def floored(x: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.03 + 3 * x**-0.5) * np.exp(noise * rng.standard_normal(len(x)))


def test_windows_end_at_the_origins_and_span_a_factor_of_eight() -> None:
    windows = rolling_windows(make_series({}, SIZES, floored(SIZES)), **HOW)  # type: ignore[arg-type]
    assert [w.x[-1] for w in windows] == [2048, 4096, 8192, 16384]
    assert [w.x[-1] / w.x[0] for w in windows] == [8] * 4
    assert [list(w.ratio) for w in windows] == [[2, 4, 8], [2, 4, 8], [2, 4], [2]]
    for window in windows:
        np.testing.assert_array_equal(window.target_x, window.ratio * window.x[-1])


def test_a_window_ends_at_the_last_size_where_the_origin_is_none() -> None:
    sizes = np.array([456, 911, 1823, 3646, 7291, 14582, 29164, 50000], float)
    windows = rolling_windows(make_series({}, sizes, floored(sizes)), **HOW)  # type: ignore[arg-type]
    assert [(w.x[0], w.x[-1]) for w in windows] == [
        (456, 3646),
        (911, 7291),
        (1823, 14582),
    ]  # 50,000 is no multiple of 29,164
    assert list(windows[0].target_x) == [7291, 14582, 29164]
    assert list(windows[-1].target_x) == [29164]


def test_standard_errors_that_are_none_are_said() -> None:
    se = [0.1, -0.1, np.inf, 0, np.nan, 0.1]
    series = make_series({}, [1, 2, 4, 8, 16, 32], np.ones(6), se)
    assert series.notes == ("4 standard errors were 0 or missing: the curve's median is used",)
    assert series.se is not None
    np.testing.assert_allclose(series.se, 0.1)


def test_what_cannot_be_used_is_left_out_and_said() -> None:
    x = [10, 20, 20, 30, 40, 50, np.nan]
    y = [0.5, 0.4, 0.1, 0.0, np.nan, 0.2, 0.3]
    se = [0.01, 0.02, 0.02, 0.01, 0.01, 0.0, 0.01]
    curve = make_series({}, x, y, se)
    np.testing.assert_allclose(curve.x, [10, 20, 50])
    np.testing.assert_allclose(curve.y, [0.5, 0.2, 0.2])
    assert curve.se is not None
    assert (curve.se > 0).all()
    said = "\n".join(curve.notes)
    for words in ("x not positive", "2 points left out: y", "1 of them 0", "repeated", "median"):
        assert words in said


def test_the_combination_beats_the_baselines_on_a_floor_it_knows() -> None:
    windows = [
        window
        for seed in range(6)
        for window in rolling_windows(
            make_series({}, SIZES, floored(SIZES, 0.01, seed)),
            **HOW,  # type: ignore[arg-type]
        )
    ]
    forecasts = forecast_windows(windows)
    error = {
        form: np.concatenate(
            [f[form].mean - np.log(w.target_y) for w, f in zip(windows, forecasts, strict=True)]
        )
        for form in (*CANDIDATES, COMBINED)
    }
    rms = {form: float(np.sqrt(np.mean(e**2))) for form, e in error.items()}
    assert rms[COMBINED] < 0.5 * rms["last_value"]
    assert rms[COMBINED] < 0.8 * rms["power_law"]
    weights = np.array([[w for _, w in f[COMBINED].weights] for f in forecasts])
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert weights[:, 0].max() < 0.1  # of the last value


def test_a_form_that_runs_away_is_cut() -> None:
    """Whatever one form predicts, the ensemble stays within half an exponent of the others."""
    x = np.geomspace(100, 800, 25)
    y = floored(x)
    y[-1] *= 0.7  # invites a break
    at = np.geomspace(1600, 6400, 3)
    series = make_series({}, [*x, *at], [*y, *floored(at)], split=[1] * 25 + [0] * 3)
    (forecast,) = forecast_windows(split_window(series))
    means = np.array([forecast[form].mean for form in CANDIDATES])
    middle = np.median(means, axis=0)
    assert (np.abs(forecast[COMBINED].mean - middle) < 0.6 * np.log(at / 800) + 0.2).all()


def test_k_is_what_makes_intervals_hold() -> None:
    """Errors that grow as 0.1 ln r need a k near 0.1, and then hold nine times in ten."""
    rng = np.random.default_rng(0)
    reach = np.tile(RATIOS, 600)
    cases = pd.DataFrame(
        {
            "data_set": np.repeat(["a", "b", "c"], 600),
            "window": np.repeat(np.arange(600), 3),
            "form": "f",
            "reach": reach,
            "error": rng.normal(0, np.hypot(0.02, 0.1 * np.log(reach))),
            "sd": 0.02,
            "rate": 0.0,
        }
    )
    k = learn_k(cases)
    assert k == pytest.approx(0.1, rel=0.08)
    half = quantile(0.9) * widened_sd(cases["sd"], k, cases["reach"])
    assert 0.89 < np.mean(cases["error"].abs() <= half) < 0.93


def test_a_curve_of_the_bank_is_judged_by_the_others() -> None:
    bank = read_bank()
    own = bank.widening("power_law", {"dataset": "letter", "learner": "MLP"})
    assert own == bank.without["letter"]["power_law"] != bank.k["power_law"]
    assert bank.widening("power_law", {"openml_id": 6, "learner": "MLP"}) == own
    assert bank.widening("power_law", {"width": 6}) == bank.k["power_law"]
    assert bank.widening("power_law", {"dataset": "anybody's"}) == bank.k["power_law"]
    assert bank.widening("additive") == bank.k["power_law_floor"]


def test_what_was_learned_says_from_what() -> None:
    stored = json.loads((Path(__file__).parents[2] / "analysis/laws/calibration.json").read_text())
    assert set(stored["forms"]) == {*CANDIDATES, COMBINED}
    for source in stored["bank"]:
        assert {"source", "licence", "sha256", "windows"} <= set(source)
    for entry in stored["forms"].values():
        assert set(entry["without"]) == {source["data_set"] for source in stored["bank"]}
        assert {"2", "4", "8"} <= set(entry["coverage"])


def test_bad_windows_and_short_curves_are_refused_in_a_line() -> None:
    curve = make_series({}, SIZES[:20], floored(SIZES[:20]))
    with pytest.raises(InputError, match="none of 1 curves can be judged"):
        validate([curve])
    with pytest.raises(InputError, match="must exceed 1"):
        validate([curve], rolling=Rolling(window=1))
    with pytest.raises(InputError, match="split 1"):
        validate([curve], split=True)


def test_validate_prints_rows_of_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [
        pd.DataFrame({"n": SIZES, "e": floored(SIZES, 0.02, seed), "net": name})
        for seed, name in enumerate("ab")
    ]
    table = pd.concat(tables)
    table.loc[5, "e"] = 0.0
    table.to_parquet(tmp_path / "p.parquet")
    words = ["validate", "--points", str(tmp_path / "p.parquet"), "--x", "n", "--y", "e"]
    assert main([*words, "--group", "net", "--json"]) == 0
    out, err = capsys.readouterr()
    scores = json.loads(out)
    assert "form 1 of" in err
    assert scores["default"] == COMBINED
    assert [(row["form"], row["ratio"], row["n"]) for row in scores["rows"]] == [
        (form, ratio, n)
        for ratio, n in ((2, 8), (4, 6), (8, 4))
        for form in (*CANDIDATES, COMBINED)
    ]
    contract = {"rmsle", "bias", "coverage", "coverage_before", "interval_score"}
    assert all(contract <= set(row) for row in scores["rows"])
    assert any("left out" in note and note.startswith("a:") for note in scores["notes"])
    assert any("2 curves are judged with the k of the whole bank" in n for n in scores["notes"])
    assert main(words) == 0
    assert "<- default" in capsys.readouterr().out
    assert main([*words[:-1], "nothing"]) == 2
    assert "no column nothing" in capsys.readouterr().err


def test_with_a_split_scores_are_means_over_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame({"n": SIZES, "e": floored(SIZES, 0.01), "fit": (SIZES < 5000).astype(int)})
    table.to_csv(tmp_path / "p.csv")
    words = ["validate", "--points", str(tmp_path / "p.csv"), "--x", "n", "--y", "e"]
    assert main([*words, "--split", "fit", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["form"] for row in rows] == [*CANDIDATES, COMBINED]
    assert all(row["ratio"] is None and row["n"] == 1 for row in rows)
    series = make_series({}, table["n"], table["e"], split=table["fit"])
    (window,) = split_window(series)
    last = next(row for row in rows if row["form"] == "last_value")
    error = np.log(window.y[-1] / window.target_y)
    assert last["rmsle"] == pytest.approx(np.sqrt(np.mean(error**2)))


def scores_of(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> pd.DataFrame:
    assert main(["validate", "--points", str(path), *words, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    return pd.DataFrame(scores["rows"]).set_index("form")


def must_hold(rows: pd.DataFrame, low: float, high: float) -> None:
    for _, part in rows.groupby("ratio"):
        ours = part.loc[COMBINED]
        assert low <= ours["coverage"] <= high
        for baseline in ("last_value", "power_law"):
            assert ours["interval_score"] < part.loc[baseline, "interval_score"]


COLUMNS = ("--x", "n_train", "--y", "test_mean", "--se", "test_se", "--group", "dataset,learner")


@pytest.mark.slow
def test_intervals_hold_on_learning_curves(
    curves_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    must_hold(scores_of(curves_dir / "error_vs_n_train.csv", capsys, *COLUMNS), 0.82, 0.97)


def test_intervals_hold_on_some_learning_curves(
    curves_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every sixth curve; with so few the coverage is known to 10 points only."""
    table = pd.read_csv(curves_dir / "error_vs_n_train.csv")
    number = table.groupby(["dataset", "learner"], sort=False).ngroup()
    table[number % 6 == 0].to_csv(tmp_path / "some.csv", index=False)
    must_hold(scores_of(tmp_path / "some.csv", capsys, *COLUMNS), 0.75, 1.0)


def test_vision_curves_are_predicted(curves_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--x", "Seen Examples", "--y", "Loss", "--group", "Task,Model", "--split", "Training")
    rows = scores_of(curves_dir / "vision_fewshot.csv", capsys, *words)
    assert rows.loc[COMBINED, "rmsle"] <= 0.025
    assert rows.loc["last_value", "rmsle"] == pytest.approx(0.067, abs=0.001)
    assert rows.loc["power_law", "rmsle"] == pytest.approx(0.079, abs=0.001)
    assert rows.loc["bnsl1", "rmsle"] == pytest.approx(0.018, abs=0.002)
