"""The paired test of `scaling verify`: its level, its power, and when it decides nothing."""

import numpy as np
import pytest

from analysis.effects.decision_rules import FAILS, HOLDS, UNVERIFIABLE, reproduction
from analysis.stats.sign_flip import sign_flip_test

CELLS = ["a"] * 20


def drawn(rng: np.random.Generator, means: list[float], factor: float = 1.0) -> np.ndarray:
    """Misses of seeds that differ in both trainings, beside what both have in common."""
    return np.array([rng.poisson(factor * mean) for mean in means])


@pytest.mark.parametrize("means", [[90.0] * 20, [90.0] * 8 + [25.0] * 7 + [8.0] * 5])
def test_one_in_a_hundred_equal_engines_is_called_different(means: list[float]) -> None:
    rng = np.random.default_rng(0)
    cells = [f"{mean}" for mean in means]
    tests = [sign_flip_test(drawn(rng, means), drawn(rng, means), cells) for _ in range(400)]
    wrong = sum(reproduction(test, test.p) == FAILS for test in tests)
    assert 1 <= wrong <= 9  # 4 expected
    held = sum(test.low <= 0 <= test.high for test in tests)
    assert held == sum(test.p >= 0.01 for test in tests)  # the interval and the test are one


@pytest.mark.parametrize("large", [5, 1])
def test_noise_in_proportion_to_misses_is_no_difference_in_a_pool(large: int) -> None:
    """Cells of 10 and of 400 misses, whose seeds scatter by a tenth: a t test rejects far more."""
    rng = np.random.default_rng(2)
    means = np.array([10.0] * (20 - large) + [400.0] * large)
    cells = [f"{cell}" for cell in range(20)]

    def seeds() -> np.ndarray:
        return np.round(means * rng.normal(1, 0.1, 20))

    tests = [sign_flip_test(seeds(), seeds(), cells) for _ in range(400)]
    assert sum(reproduction(test, test.p) == FAILS for test in tests) <= 9  # 4 expected
    changed = [sign_flip_test(seeds(), 1.2 * seeds(), cells) for _ in range(40)]
    assert sum(reproduction(test, test.p) == FAILS for test in changed) >= 36


def test_a_change_of_a_fifth_is_found_and_a_wide_interval_is_not_agreement() -> None:
    rng = np.random.default_rng(1)
    many, few = [90.0] * 20, [3.0] * 20
    found = [sign_flip_test(drawn(rng, many), drawn(rng, many, 1.2), CELLS) for _ in range(60)]
    assert sum(reproduction(test, test.p) == FAILS for test in found) > 57
    same = [sign_flip_test(drawn(rng, few), drawn(rng, few), CELLS) for _ in range(60)]
    assert {reproduction(test, test.p) for test in same} <= {UNVERIFIABLE, FAILS}


def test_fewer_than_twenty_pairs_decide_nothing() -> None:
    before = np.full(19, 90)
    assert reproduction(sign_flip_test(before, before, ["a"] * 19), 1.0) == UNVERIFIABLE
    assert reproduction(sign_flip_test(before, 2 * before, ["a"] * 19), 0.0) == UNVERIFIABLE
    assert reproduction(sign_flip_test([90], [90], ["a"]), 1.0) == UNVERIFIABLE


def test_equal_misses_agree_where_there_are_enough_to_tell() -> None:
    before = np.full(20, 90)
    test = sign_flip_test(before, before, CELLS)
    assert (test.change, test.p, reproduction(test, test.p)) == (0.0, 1.0, HOLDS)
    assert test.low < 0 < test.high
    none = sign_flip_test(np.zeros(20), np.zeros(20), CELLS)
    assert reproduction(none, none.p) == UNVERIFIABLE
    shifted = sign_flip_test(before, before + 1, CELLS)  # no variance at all, and another engine
    assert reproduction(shifted, shifted.p) == FAILS


def test_a_relative_change_is_that_of_the_sums() -> None:
    test = sign_flip_test([10, 20, 30, 40], [11, 22, 33, 44], ["a", "a", "b", "b"])
    assert test.change == pytest.approx(0.1)


def test_changes_that_are_rejected_lie_outside_the_interval() -> None:
    rng = np.random.default_rng(3)
    before = drawn(rng, [90.0] * 20)
    test = sign_flip_test(before, drawn(rng, [90.0] * 20, 1.05), CELLS)
    assert -1 < test.low < test.change < test.high
    assert (test.low <= 0 <= test.high) == (test.p >= 0.01)
