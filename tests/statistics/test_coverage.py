"""Test the coverage of intervals in simulations where a form is true, and where none is."""

import numpy as np
import pytest
from false_forms import FALSE, Curve, measured, power_law
from surfaces import SURFACES

from analysis import fit
from analysis.forecasts.backtest import score_cases
from analysis.forecasts.calibration import make_cases
from analysis.forecasts.ensemble import COMBINED, forecast_windows
from analysis.laws.forms import FORMS
from analysis.laws.learning_curve import make_series, split_window
from analysis.laws.widening import LEVEL, RATIOS, read_bank

DESIGNS = {  # sizes that are fitted: our studies', and those of LCDB's curves
    "octaves": 7291 * np.exp2(np.arange(-5.0, 1)),
    "uneven": np.array([911, 1823, 3646, 7291, 14582, 29164, 50000.0]),
    "dense": 8192 * np.exp2(np.arange(-24.0, 1) / 8),
}


def coverage(curve: Curve, x: np.ndarray, count: int) -> dict[str, list[float]]:
    """Return the coverage of the default forecast's intervals at each of RATIOS."""
    rng = np.random.default_rng(0)
    every = np.concatenate([x, x[-1] * np.array(RATIOS)])
    windows = []
    for _ in range(count):
        y, se = measured(curve, every, x[-1], rng)
        split = [1] * len(x) + [0] * len(RATIOS)
        windows += split_window(make_series({}, every, y, se, split))
    cases = make_cases(windows, forecast_windows(windows))
    cases = score_cases(cases[cases["form"] == COMBINED], windows, read_bank())
    by_ratio = cases.groupby(cases["reach"].round())[["held", "held_before"]].mean()
    return {name: [float(share) for share in by_ratio[name]] for name in by_ratio}


def test_forecasts_from_few_noisy_sizes_know_what_they_do_not_know() -> None:
    """Six sizes of a plain power law: a form with a lucky fit at one of them gets little weight."""
    found = coverage(power_law, DESIGNS["octaves"], 60)
    assert min(found["held"]) >= 0.85
    assert min(found["held_before"]) >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_widened_intervals_hold_where_no_form_is_true(design: str) -> None:
    """Coverage is 80 to 98 % over all families, and at least 70 % in the worst."""
    found = {name: coverage(curve, DESIGNS[design], 50) for name, curve in FALSE.items()}
    for name, shares in found.items():
        print(design, name, shares)
        assert min(shares["held"]) >= 0.7
    pooled = np.mean([shares["held"] for shares in found.values()], axis=0)
    print(design, "all", pooled, np.mean([shares["held_before"] for shares in found.values()], 0))
    assert ((pooled >= 0.80) & (pooled <= 0.98)).all()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["power_law", "power_law_floor", "logistic"])
@pytest.mark.parametrize("design", DESIGNS)
def test_nominal_intervals_hold_where_the_form_is_true(form: str, design: str) -> None:
    """Without widening, at 2, 4 and 8 times the largest size, within three standard errors."""
    count, truth, x = 80, np.array(SURFACES[form][0]), DESIGNS[design]
    at = x[-1] * np.array(RATIOS)
    exact, ahead = (FORMS[form].predict(sizes, truth)[0] for sizes in (x, at))
    rng = np.random.default_rng(1)
    held = []
    for _ in range(count):
        found = fit(x, exact * np.exp(rng.normal(0, 0.03, len(x))), 0.03 * exact, form=form)
        low, high = found.predict(at, LEVEL).nominal
        held.append((low <= ahead) & (ahead <= high))
    assert np.abs(np.mean(held, axis=0) - LEVEL).max() <= 3 * np.sqrt(LEVEL * (1 - LEVEL) / count)
