"""Full runs: engines cannot agree weight by weight after a hundred thousand steps, but in misses.

One rounding moves every weight by 0.05 after 23 epochs, so the numbers of test misses are compared
over 20 seeds. The seeds draw the same images, weights, shifts and masks in both engines, hence the
paired test; the distributions are compared as well. `pytest -m slow`: half an hour for the first,
which trains one model after another by plain autograd; minutes for the others, by autograd too, but
in lock-step (tests/engines/test_population.py compares those weight by weight).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from scaling import engines
from scaling.data import datasets
from scaling.engines import Trained
from scaling.recipes.ladder import LADDER
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import make_cell, make_members

SEEDS = range(20)
LEAST_P = 0.001  # a true difference of a standard deviation would give 1e-4 and less


def misses(recipe: Recipe, n_train: int, engine: str) -> list[int]:
    source, info = datasets.find("mnist")
    cell = make_cell(info, recipe, n_train=n_train)
    results = engines.train(
        cell,
        make_members(recipe, SEEDS),
        datasets.load(source, n_train),
        engine=engine,
        epochs_evaluated=[recipe.epochs],
    )
    return [r.history[-1].test.misses for r in results if isinstance(r, Trained)]


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize(
    ("recipe", "n_train", "other"),
    [
        (find_recipe("1989"), 7291, "reference"),
        (find_recipe("1989"), 7291, "population"),
        *((replace(recipe, epochs=20), 911, "population") for recipe in list(LADDER.values())[1:]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_engines_miss_as_many_digits(
    data_dir: Path,  # noqa: ARG001
    recipe: Recipe,
    n_train: int,
    other: str,
) -> None:
    compiled, autograd = (misses(recipe, n_train, name) for name in ("compiled", other))
    print(f"{recipe.name}: compiled {compiled}, {other} {autograd}")
    assert len(compiled) == len(autograd) == len(SEEDS)
    assert np.std(compiled) > 0  # seeds differ, or this test could not fail
    if np.not_equal(compiled, autograd).any():  # short runs may agree to the last digit
        assert stats.ttest_rel(compiled, autograd).pvalue > LEAST_P
    assert stats.ks_2samp(compiled, autograd).pvalue > LEAST_P
