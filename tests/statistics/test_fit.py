"""Test that fits recover their truth in any unit, and report when they cannot."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from analysis import Fit, fit
from analysis.laws.forms import FORMS
from analysis.laws.profile import profile
from scaling.errors import InputError

SIZES = np.array([911, 1823, 3646, 7291, 14582, 29164, 50000], float)
TRUTH = {"power_law": [3.0, 0.4], "power_law_floor": [6.0, 0.6, 0.01]}


@settings(deadline=None, max_examples=12)
@given(
    st.floats(0.05, 1.5),
    st.floats(-4, 4),
    st.floats(-3, 3),
    st.floats(0.02, 0.9),
)
def test_fits_do_not_depend_on_the_units(
    alpha: float, log_x: float, log_y: float, share: float
) -> None:
    """Sizes in thousands or errors in percent give the same curve."""
    x, y = SIZES * 10**log_x, (SIZES / SIZES[0]) ** -alpha
    y = (y * (1 - share) + share * y[-1]) * 10**log_y
    found = fit(x, y, objective="ls")
    np.testing.assert_allclose(found.predict(x).y, y, rtol=1e-4)


@pytest.mark.parametrize("form", ["power_law_floor", "bnsl1"])
def test_intervals_do_not_depend_on_the_units(form: str) -> None:
    """In large units an end is as large; only an end at a bound of the search is unbounded."""
    y = FORMS["power_law_floor"].predict(SIZES, np.array(TRUTH["power_law_floor"]))[0]
    y = y * np.exp(np.random.default_rng(1).normal(0, 0.03, 7))
    small, large = (fit(SIZES * times, y, 0.03 * y, form=form).intervals for times in (1e-5, 1e16))
    assert [high is None for _, high in small.values()] == [
        high is None for _, high in large.values()
    ]
    assert form == "bnsl1" or None not in [high for _, high in large.values()]


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("sure", [1e-5, 1e-8, 1e-300])
def test_a_point_that_is_nearly_certain_is_met_and_the_others_still_count(
    at: int, sure: float
) -> None:
    """A narrow valley: the search used to stop far from its lowest point, or overflow."""
    y = FORMS["power_law_floor"].predict(SIZES, np.array(TRUTH["power_law_floor"]))[0]
    y = y * np.exp(np.random.default_rng(0).normal(0, 0.03, 7))
    se = 0.3 * y
    se[at] = 3e-4 * y[at]
    expected = fit(SIZES, y, se)
    se[at] = sure * y[at]
    found = fit(SIZES, y, se)
    assert found.status == expected.status == "converged"
    assert found.params["alpha"] == pytest.approx(expected.params["alpha"], abs=1e-3)
    assert found.intervals["alpha"] == pytest.approx(expected.intervals["alpha"], rel=0.2)


def test_the_search_is_as_good_as_scipys_from_many_starts() -> None:
    """Weighted least squares on logarithms, by an independent optimizer."""
    rng = np.random.default_rng(0)
    form = FORMS["power_law_floor"]
    for _ in range(10):
        y = form.predict(SIZES, np.array(TRUTH[form.name]))[0] * np.exp(rng.normal(0, 0.05, 7))
        se = y * rng.uniform(0.01, 0.1, 7)

        def residuals(phi: np.ndarray, y: np.ndarray = y, se: np.ndarray = se) -> np.ndarray:
            return (np.log(form.predict(SIZES, np.exp(phi))[0]) - np.log(y)) * y / se

        best = min(
            optimize.least_squares(residuals, np.log([a, alpha, e]), xtol=1e-14, ftol=1e-14).cost
            for a in (1.0, 10.0)
            for alpha in (0.2, 0.5, 1.0)
            for e in (1e-6, 1e-3, 1e-2)
        )
        found = fit(SIZES, y, se)
        ours = 0.5 * (residuals(np.log(np.maximum(list(found.params.values()), 1e-12))) ** 2).sum()
        assert ours <= best * (1 + 1e-6) + 1e-9


def test_a_curve_without_a_floor_is_said_to_touch_zero() -> None:
    y = 3 * SIZES**-0.4
    y[-2:] *= 0.9  # bends down, where a floor would bend it up
    found = fit(SIZES, y, 0.01 * y)
    assert found.status == "at_bound"
    assert found.params["E"] == 0
    assert found.intervals["E"][0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["power_law", "power_law_floor"])
def test_intervals_hold_the_truth_as_often_as_they_say(form: str) -> None:
    """With known noise and the right form; 150 curves, within three standard errors."""
    rng = np.random.default_rng(1)
    truth = np.array(TRUTH[form])
    exact = FORMS[form].predict(SIZES, truth)[0]
    held = []
    for _ in range(150):
        y = exact * np.exp(rng.normal(0, 0.03, len(SIZES)))
        found = fit(SIZES, y, 0.03 * exact, form=form)
        low, high = found.intervals["alpha"]
        assert low is not None
        held.append(low <= truth[1] and (high is None or truth[1] <= high))
    assert 0.9 - 3 * np.sqrt(0.09 / 150) <= np.mean(held) <= 0.985


def test_weights_follow_the_standard_errors() -> None:
    """A noisy outlier moves nothing."""
    y = 3 * SIZES**-0.4
    y[3] *= 3
    se = 0.01 * y
    se[3] *= 1e4
    assert fit(SIZES, y, se, form="power_law").params["alpha"] == pytest.approx(0.4, abs=1e-3)


def test_without_noise_or_spare_points_there_is_no_interval() -> None:
    found = fit([1, 2], [1, 0.5], form="power_law")
    assert found.params["alpha"] == pytest.approx(1)
    assert found.intervals["alpha"] == (None, None)
    assert np.isnan(found.predict([1]).low).all()


def test_predictions_have_a_band_of_the_level_asked_for() -> None:
    y = 3 * SIZES**-0.4
    found = fit(SIZES, y, 0.05 * y)
    wide, narrow = found.predict(SIZES, 0.99), found.predict(SIZES, 0.5)
    assert (wide.low < narrow.low).all()
    assert (narrow.high < wide.high).all()
    assert (narrow.low < narrow.y).all()


@pytest.mark.parametrize(
    ("x", "y", "se", "message"),
    [
        ([1, 2, 3], [1, 0.5, 0], None, "y must be positive"),
        ([1, 2, 3], [1, 0.5, np.nan], None, "y must be positive and finite"),
        ([1, -2, 3], [1, 0.5, 0.2], None, "x must be positive"),
        ([1, 2, 3], [1, 0.5, 0.2], [0.1, 0, 0.1], "se must be positive"),
        ([1, 2], [1, 0.5, 0.2], None, "equal vectors"),
        ([1, 2, 2], [1, 0.5, 0.4], None, "2 sizes for the 3 parameters"),
        (["a"], ["b"], None, "must be numbers"),
        (np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]), [1, 0.5, 0.2], None, "got nan"),
        (np.array(["2020", "2021"], "datetime64[Y]"), [1, 0.5], None, "numbers, got datetime"),
        ([1, 2, 3], [1e300, 1e299, 1e298], None, "within 1e-30 and 1e.30"),
        ([[1, 2, 4, 8, 16], [3] * 5], [0.5, 0.4, 0.3, 0.2, 0.1], None, "1 values of x2"),
        ([[1, 2, 4, 8, 16], [1, 4, 16, 64, 256]], [0.5, 0.4, 0.3, 0.2, 0.1], None, "power of x"),
        (SIZES, SIZES < 2000, None, "must be numbers, got bool"),
        (SIZES, SIZES**-0.4, np.full(7, 1e300), "se must lie within"),
        (np.arange(1.0, 100_003), np.ones(100_002), None, "at most 100,000"),
    ],
)
def test_what_cannot_be_fitted_is_said(x: list, y: list, se: list | None, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=message):
        fit(x, y, se)


def test_predictions_are_of_sizes_and_levels() -> None:
    found = fit(SIZES, 3 * SIZES**-0.4, 0.1 * SIZES**-0.4)
    for sizes in (-1, 0, np.nan):
        with pytest.raises(InputError, match="must be positive and finite"):
            found.predict(sizes)
    for level in (0, 1, 90):
        with pytest.raises(InputError, match="a share between 0 and 1"):
            found.predict(SIZES, level=level)
        with pytest.raises(InputError, match="a share between 0 and 1"):
            fit(SIZES, SIZES**-0.4, level=level)
    assert found.predict(SIZES, level=np.float32(0.5)).level == 0.5  # type: ignore[arg-type]
    with pytest.raises(InputError, match="of 1 variable"):
        found.predict([[1e3, 1e4], [1e5, 1e6]])


def joint() -> Fit:
    x, x2 = np.meshgrid([1e8, 1e9, 1e10], [1e9, 1e10, 1e11])
    sizes = np.array([x.ravel(), x2.ravel()])
    return fit(sizes, 1.7 + 400 * sizes[0] ** -0.34 + 410 * sizes[1] ** -0.28)


def test_a_joint_form_predicts_pairs_and_has_no_curve() -> None:
    found = joint()
    assert found.predict((1e10, 1e11)).y.shape == (1,)
    assert found.predict(([1e8, 1e9, 1e10], [1e9, 1e10, 1e11])).y.shape == (3,)
    for sizes in (5, [1, 2, 3], [[1e8, 1e9], [1e9, 1e10], [1e10, 1e11]]):
        with pytest.raises(InputError, match="of 2 variable"):
            found.predict(sizes)
    with pytest.raises(InputError, match="no curve"):
        found.plot()


@pytest.mark.parametrize("ceiling", [np.inf, np.nan, 0.01, 1e12])
def test_a_ceiling_lies_above_the_errors_but_not_beyond_all_reason(ceiling: float) -> None:
    y = 3 * SIZES**-0.4
    for fitted in (fit, partial(profile, parameter="E")):
        with pytest.raises(InputError, match="must exceed the largest error"):
            fitted(SIZES, y, form="logistic", ceiling=ceiling)


def test_replicates_that_say_nothing_are_refused() -> None:
    y = 3 * SIZES**-0.4
    for replicates in (np.tile(y, (9, 1)), np.zeros((9, 7)), np.full((9, 7), np.nan)):
        for fitted in (fit, partial(profile, parameter="E")):
            with pytest.raises(InputError, match="positive and finite, and differ"):
                fitted(SIZES, y, replicates=replicates)


def test_a_profile_needs_a_point_to_spare() -> None:
    """The last value leaves none: it is the last point."""
    with pytest.raises(InputError, match="a point to spare"):
        profile(SIZES, SIZES**-0.4, parameter="A", form="last_value")


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(InputError, match="unknown form 'cubic'"):
        fit(SIZES, SIZES**-0.5, form="cubic")


def test_a_fit_can_be_drawn() -> None:
    ax = fit(SIZES, 3 * SIZES**-0.4, 0.1 * SIZES**-0.4).plot()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert len(ax.collections) == 1  # the band
