"""Effects of a factorial whose truth is known exactly."""

from itertools import combinations

import numpy as np
import pytest
from simulated import measured

from analysis.effects.paired import Resampler
from analysis.effects.shapley import combinations_of, interactions, missing_of, trick_effects
from analysis.results.cell_results import CellResult

N_IMAGES = 8000
FACTORS = {"ce": 0.5, "adamw": 0.75, "shift": 1.0}


def cell(tricks: tuple[str, ...], error: float) -> CellResult:
    """Exactly this error: the first images are missed, by every seed the same."""
    wrong = np.arange(N_IMAGES) < round(error * N_IMAGES)
    return measured(dict.fromkeys(range(4), wrong), recipe="_".join(tricks), tricks=tricks)


def additive() -> list[CellResult]:
    return [
        cell(chosen, 0.4 * float(np.prod([FACTORS[t] for t in chosen])))
        for count in range(4)
        for chosen in combinations(FACTORS, count)
    ]


def test_where_effects_add_up_every_way_of_looking_agrees() -> None:
    by_tricks = combinations_of(additive())
    found = {
        effect.trick: effect for effect in trick_effects(Resampler(400), tuple(FACTORS), by_tricks)
    }
    for trick, factor in FACTORS.items():
        for way in ("average", "alone", "last"):
            assert getattr(found[trick], way).value == pytest.approx(factor - 1, abs=1e-9)
    assert interactions(Resampler(400), tuple(FACTORS), by_tricks) == []


def test_where_they_do_not_the_average_is_shapleys() -> None:
    """Two tricks that do the same: together no better than one, so that each is worth half."""
    errors = {(): 0.4, ("a",): 0.1, ("b",): 0.1, ("a", "b"): 0.1}
    by_tricks = combinations_of([cell(t, e) for t, e in errors.items()])
    resampler = Resampler(400)
    a, b = trick_effects(resampler, ("a", "b"), by_tricks)
    assert a.average.value == pytest.approx(b.average.value) == pytest.approx(-0.5)
    assert a.alone.value == pytest.approx(-0.75)
    assert a.last.value == pytest.approx(0)
    (pair,) = interactions(resampler, ("a", "b"), by_tricks)
    assert pair.tricks == ("a", "b")
    assert 1 + pair.effect.value == pytest.approx(4)  # four times the misses that the product has


def test_the_averages_multiply_to_the_effect_of_all() -> None:
    rng = np.random.default_rng(0)
    cells = [
        measured(
            {s: rng.uniform(size=2000) < rng.uniform(0.02, 0.1) for s in range(3)},
            recipe="_".join(chosen),
            tricks=chosen,
        )
        for count in range(4)
        for chosen in combinations(FACTORS, count)
    ]
    by_tricks = combinations_of(cells)
    resampler = Resampler(200)
    together = resampler.change(cells[0], cells[-1])
    assert together is not None
    averages = [
        1 + effect.average.value for effect in trick_effects(resampler, tuple(FACTORS), by_tricks)
    ]
    assert np.prod(averages) == pytest.approx(1 + together.value)


def test_missing_combinations_are_counted() -> None:
    by_tricks = combinations_of([c for c in additive() if c.tricks != ("ce",)])
    assert missing_of(tuple(FACTORS), by_tricks) == 1
