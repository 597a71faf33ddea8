"""The bounds of `scaling verify` for models that need not be equal to the bit."""

import math

import pytest

from scaling.verifying.bounds import near_loss, near_misses


@pytest.mark.parametrize(
    ("now", "stored", "near"),
    [
        (0.05, 0.05, True),
        (0.05, 0.11, True),
        (0.05, 0.5, False),
        (0.05, 0.005, False),
        (1e-6, 1e-5, True),  # training images that are learned: rounding decides
        (0.05, math.nan, False),
        (0.05, -0.05, False),
        (0.05, None, False),
        (0.05, "0.05", False),
    ],
)
def test_a_loss_is_within_a_factor_of_four(now: float, stored: object, near: bool) -> None:
    assert near_loss(now, stored) is near


@pytest.mark.parametrize(
    ("now", "stored", "near"),
    [
        (0, 0, True),
        (0, 5, True),
        (90, 120, True),
        (90, 300, False),
        (9, 90, False),
        (9, None, False),
    ],
)
def test_misses_are_within_six_standard_errors(now: int, stored: object, near: bool) -> None:
    assert near_misses(now, stored, 1000) is near
    assert near_misses(0, 1000, 1000) is False
