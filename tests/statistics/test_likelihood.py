"""Test likelihoods: profiles for known noise, counts for data of counts only."""

import numpy as np
import pytest

from analysis import fit
from analysis.laws.count_fit import fit_counts
from analysis.laws.profile import profile
from scaling.errors import InputError

SIZES = np.array([911, 1823, 3646, 7291, 14582, 29164, 50000], float)
FLOORED = 0.02 + 4 * SIZES**-0.5
BARE = 4 * SIZES**-0.5


def test_a_profile_agrees_with_the_bootstrap_where_all_is_nearly_normal() -> None:
    y = FLOORED * np.exp(np.random.default_rng(0).normal(0, 0.01, 7))
    found = profile(SIZES, y, 0.01 * y, parameter="alpha")
    low, high = fit(SIZES, y, 0.01 * y).intervals["alpha"]
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.03)
    assert not found.upper_bound


def test_a_floor_that_is_not_there_is_an_upper_bound() -> None:
    y = BARE * np.exp(np.random.default_rng(0).normal(0, 0.02, 7))
    found = profile(SIZES, y, 0.02 * y, parameter="E")
    assert found.upper_bound
    assert found.low == 0
    assert 0 < (found.high or 0) < 0.01
    row = fit(SIZES, y, 0.02 * y).as_row({})
    assert row["upper_bounds"] == ["E"]
    assert profile(SIZES, FLOORED, 0.01 * FLOORED, parameter="E").upper_bound is False


def test_noise_shared_by_all_sizes_moves_the_level_and_not_the_exponent() -> None:
    """With the covariance of the crossed bootstrap a common factor costs the exponent nothing."""
    rng = np.random.default_rng(1)
    common, own = rng.normal(0, 0.1, (2000, 1)), rng.normal(0, 0.01, (2000, 7))
    replicates = BARE * np.exp(common + own)
    alone = profile(SIZES, BARE, 0.1 * BARE, parameter="alpha", form="power_law")
    shared = profile(SIZES, BARE, replicates=replicates, parameter="alpha", form="power_law")
    assert (shared.high or 9) - (shared.low or 0) < 0.5 * ((alone.high or 9) - (alone.low or 0))


@pytest.mark.slow
def test_profile_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(100):
        y = FLOORED * np.exp(rng.normal(0, 0.02, 7))
        found = profile(SIZES, y, 0.02 * FLOORED, parameter="alpha")
        held.append((found.low or 0) <= 0.5 <= (found.high or np.inf))
    assert 0.9 - 3 * np.sqrt(0.09 / 100) < np.mean(held) < 0.98


def test_a_profile_needs_a_parameter_and_noise() -> None:
    with pytest.raises(InputError, match="no parameter 'beta'"):
        profile(SIZES, BARE, parameter="beta")
    with pytest.raises(InputError, match="a point to spare"):
        profile(SIZES[:3], BARE[:3], parameter="alpha")


@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
def test_the_dispersion_of_counts_may_be_below_or_above_one(spread: float) -> None:
    """Return counts with `spread` times the binomial sd, at 40 sizes."""
    x = np.geomspace(100, 50000, 40)
    p, n = 0.02 + 2 * x**-0.5, 10_000
    rng = np.random.default_rng(3)
    misses = np.round(n * p + spread * np.sqrt(n * p * (1 - p)) * rng.standard_normal(40))
    found = fit_counts(x, misses, n)
    assert found.params["alpha"] == pytest.approx(0.5, rel=0.1)
    assert found.dispersion == pytest.approx(spread**2, rel=0.5, abs=0.01)
    assert (found.gain > 2) == (spread > 1)  # the beta-binomial can only widen
    low, high = found.intervals["alpha"]
    assert low < found.params["alpha"] < high


def test_no_miss_at_all_is_a_count() -> None:
    found = fit_counts([100, 1000, 10000, 100000], [400, 40, 4, 0], 1000, form="power_law")
    assert found.params["alpha"] == pytest.approx(1, abs=0.05)


def test_what_is_no_count_is_refused() -> None:
    with pytest.raises(InputError, match="whole misses"):
        fit_counts(SIZES, 100 * BARE, 1000)
    with pytest.raises(InputError, match="2 sizes for the 3"):
        fit_counts([1, 2], [5, 4], 10)
