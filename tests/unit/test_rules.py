"""The rules of tables that compare, and the draws on which intervals rest."""

import numpy as np
import pytest

from analysis.effects.decision_rules import (
    FAILS,
    FEWER,
    FEWER_IN_B,
    HOLDS,
    MORE,
    MORE_IN_B,
    NOISE,
    ONE_SEED,
    UNDECIDED,
    UNTESTED,
    UNVERIFIABLE,
    direction,
    folder_direction,
    parameter_direction,
    ratio_direction,
    reproduction,
    width_direction,
)
from analysis.effects.paired import Effect
from analysis.stats.resampling import CrossedDraws, keyed_streams, one_stream
from analysis.stats.sign_flip import SignFlipTest


@pytest.mark.parametrize(
    ("low", "high", "n_seeds", "verdict"),
    [
        (-0.3, -0.1, 5, FEWER),
        (0.1, 0.3, 5, MORE),
        (-0.1, 0.1, 5, "within 10 %"),
        (-0.1, 0.2, 5, "undecided"),
        (-0.3, -0.1, 1, ONE_SEED),
    ],
)
def test_the_direction_of_a_change(low: float, high: float, n_seeds: int, verdict: str) -> None:
    effect = Effect(
        value=(low + high) / 2,
        low=low,
        high=high,
        level=0.9,
        n_seeds=n_seeds,
        se_test=0.1,
        se_seed=None if n_seeds == 1 else 0.1,
    )
    assert direction(effect) == verdict


@pytest.mark.parametrize(
    ("low", "high", "n_seeds", "verdict"),
    [
        (0.5, 0.9, 2, FEWER),
        (1.1, 1.9, 2, MORE),
        (1.1, None, 2, MORE),
        (None, 0.9, 2, FEWER),
        (0.9, 1.1, 2, UNDECIDED),
        (None, None, 2, UNDECIDED),
        (0.5, 0.9, 1, ONE_SEED),
    ],
)
def test_the_direction_of_a_ratio(
    low: float | None, high: float | None, n_seeds: int, verdict: str
) -> None:
    assert ratio_direction(low, high, n_seeds) == verdict


def test_the_directions_of_two_folders() -> None:
    assert folder_direction(None, -0.5) == UNTESTED
    assert folder_direction(0.11, -0.5) == NOISE
    assert folder_direction(0.01, -0.5) == FEWER_IN_B
    assert folder_direction(0.01, 0.5) == folder_direction(0.01, None) == MORE_IN_B
    assert parameter_direction(-1.0, 1.0) == "includes no difference"
    assert parameter_direction(-1.0, -0.5) == "lower in B"
    assert parameter_direction(0.5, 1.0) == "higher in B"


def test_the_direction_of_width() -> None:
    assert (
        width_direction(-0.1, 0.1)
        == width_direction(-0.1, None)
        == ", and the interval includes no change"
    )
    assert width_direction(0.1, None) == ": width is worth less with more data"
    assert width_direction(-0.2, -0.1) == ": width is worth more with more data"


@pytest.mark.parametrize(
    ("n", "high", "p", "verdict"),
    [
        (19, 0.05, 0.001, UNVERIFIABLE),
        (20, 0.05, 0.001, FAILS),
        (20, 0.05, 0.5, HOLDS),
        (20, 0.15, 0.5, UNVERIFIABLE),
    ],
)
def test_models_that_were_trained_again(n: int, high: float, p: float, verdict: str) -> None:
    test = SignFlipTest(n=n, change=0.0, low=-0.05, high=high, p=p)
    assert reproduction(test, p) == verdict


def test_keyed_draws_do_not_depend_on_their_order() -> None:
    one, other = CrossedDraws(50, keyed_streams(0)), CrossedDraws(50, keyed_streams(0))
    first = one.seed_deviations((0, 1, 2))
    other.image_weights(100)
    assert np.array_equal(first, other.seed_deviations((0, 1, 2)))
    assert not np.array_equal(one.seed_deviations((0, 1)), one.seed_deviations((1, 2)))


def test_draws_of_one_stream_keep_their_order() -> None:
    """The order of draws, images first, is part of every published interval."""
    draws, rng = CrossedDraws(50, one_stream(np.random.default_rng(0))), np.random.default_rng(0)
    images = rng.multinomial(100, np.full(100, 0.01), size=50)
    seeds = rng.multinomial(3, np.full(3, 1 / 3), size=50)
    assert np.array_equal(draws.image_counts(100), images)
    assert np.array_equal(draws.seed_deviations((4, 5, 6)), seeds / 3 - 1 / 3)
    assert draws.seed_deviations((4, 5, 6)) is draws.seed_deviations((4, 5, 6))
    assert np.allclose(draws.image_weights(10).sum(axis=1), 1)
