"""The ladder against what was published."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from scaling.errors import InputError
from scaling.recipes.ladder import LADDER
from scaling.recipes.registry import find_recipe


def test_the_ladder_is_cumulative_and_in_historical_order() -> None:
    assert list(LADDER) == ["1989", "ce", "adamw", "augment", "dropout_relu"]
    tricks = [[name for name, _ in recipe.tricks] for recipe in LADDER.values()]
    assert tricks == [
        [],
        ["cross_entropy"],
        ["cross_entropy", "adamw"],
        ["cross_entropy", "adamw", "shift"],
        ["cross_entropy", "adamw", "shift", "dropout", "relu"],
    ]


def test_epochs_and_rates_are_the_published_ones() -> None:
    published = {name: (r.epochs, r.lr) for name, r in LADDER.items()}
    assert published == {
        "1989": (23, 0.03),
        "ce": (23, 0.01),
        "adamw": (46, 3e-4),
        "augment": (60, 3e-4),
        "dropout_relu": (80, 3e-4),
    }
    assert {name: r.output_bias for name, r in LADDER.items()} == {
        "1989": -1.0, "ce": 0.0, "adamw": 0.0, "augment": 0.0, "dropout_relu": 0.0
    }  # fmt: skip


def test_modern_is_stored_under_its_name() -> None:
    assert find_recipe("modern").name == "dropout_relu"


def test_the_modern_rate_falls_linearly_to_a_third() -> None:
    modern = find_recipe("modern")
    rates = [modern.lr * modern.lr_factor(epoch) for epoch in range(80)]
    assert rates[0] == pytest.approx(3e-4)
    assert rates[79] == pytest.approx(1e-4)
    steps = [a - b for a, b in pairwise(rates)]
    assert steps == pytest.approx([2e-4 / 79] * 79)
    assert {find_recipe("1989").lr_factor(epoch) for epoch in range(23)} == {1.0}


def test_a_cosine_and_a_constant_rate() -> None:
    falling = replace(find_recipe("1989"), epochs=5, lr_end=0.2, schedule="cosine")
    expected = [0.2 + 0.8 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(5)]
    assert [falling.lr_factor(epoch) for epoch in range(5)] == pytest.approx(expected)
    assert {replace(falling, schedule="constant").lr_factor(epoch) for epoch in range(5)} == {1.0}


def test_one_epoch_has_a_rate_too() -> None:
    assert replace(find_recipe("modern"), epochs=1).lr_factor(0) == 1.0


def test_an_unknown_recipe_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'magic'.*1989.*modern"):
        find_recipe("magic")
