"""Run short trainings of the population engine, for the tests that compare members."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scaling import engines
from scaling.data.selection import Dataset
from scaling.engines import NumericFailure, Trained
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import Cell, Member

DIRECT, STEPS, EPOCHS = 20, 36, 2  # half of the steps are recorded

DIRECT, STEPS, EPOCHS = 20, 36, 2  # half of the steps are recorded


def recipe(name: str, **change: object) -> Recipe:
    return replace(find_recipe(name), **({"epochs": EPOCHS} | change))  # type: ignore[arg-type]


def train(
    data: Dataset,
    cell: Cell,
    members: Sequence[Member],
    engine: str = "population",
    **more: Any,
) -> list[Trained]:
    results = list(engines.train(cell, members, data, engine=engine, epochs_evaluated=[1], **more))
    assert all(isinstance(result, Trained) for result in results)
    assert {result.engine for result in results} == {engine}  # type: ignore[union-attr]
    return results  # type: ignore[return-value]


def assert_equal(one: Trained | NumericFailure, other: Trained | NumericFailure) -> None:
    """Compare bit for bit, apart from times."""
    assert isinstance(one, Trained)
    assert isinstance(other, Trained)
    assert one.member == other.member
    assert one.weights.keys() == other.weights.keys()
    assert all((one.weights[name] == other.weights[name]).all() for name in one.weights)
    scores = ([(e.train, e.val, e.test) for e in result.history] for result in (one, other))
    assert next(scores) == next(scores)
    assert (one.predicted == other.predicted).all()
