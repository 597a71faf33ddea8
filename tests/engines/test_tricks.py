"""Test every trick: it changes the training, trains, and names its source."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from scaling import engines
from scaling.data.selection import Dataset
from scaling.engines import Trained
from scaling.errors import InputError
from scaling.recipes.ladder import LADDER
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import RECIPES, find_recipe
from scaling.recipes.tricks import TRICKS, Trick
from scaling.recipes.variants import LADDER_TRICKS, PAPER_TRICKS, factorial
from scaling.study import make_cell, make_members

# The first epochs that a trick needs to show: a warm-up of five has its fifth of the rate at once.
EPOCHS, IMAGES = 4, 24


def base_of(trick: Trick) -> Recipe:
    """A recipe that the trick has something to change in."""
    oldest = trick in (*LADDER_TRICKS, *PAPER_TRICKS)
    base = LADDER["1989" if oldest else "dropout_relu"]
    if trick.name == "batch_norm":
        base = replace(base, batch_size=8)
    return replace(base, epochs=EPOCHS)


def trained(data: Dataset, recipe: Recipe) -> Trained:
    cell = make_cell(data.info, recipe, n_train=IMAGES, n_test=50)
    (result,) = engines.train(
        cell, make_members(recipe, [0]), data, engine="reference", epochs_evaluated=[EPOCHS]
    )
    assert isinstance(result, Trained), result
    return result


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_a_trick_changes_the_result_and_trains(random_data: Dataset, trick: Trick) -> None:
    base = base_of(trick)
    before, after = trained(random_data, base), trained(random_data, trick(base))
    assert all(np.isfinite(value).all() for value in after.weights.values())
    last = after.history[-1]
    assert math.isfinite(last.train.loss + last.test.loss)
    shared = before.weights.keys() & after.weights.keys()
    changed = [name for name in shared if (before.weights[name] != after.weights[name]).any()]
    assert changed, f"after {EPOCHS} epochs the weights are those of {base.name}"


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_a_trick_changes_the_identity_beyond_its_name(random_data: Dataset, trick: Trick) -> None:
    base = base_of(trick)
    changed = replace(trick(base), tricks=base.tricks)

    def run_id(recipe: Recipe) -> str:
        cell = make_cell(random_data.info, recipe, n_train=IMAGES)
        return cell.run_id(make_members(recipe, [0])[0])

    ids = {run_id(recipe) for recipe in (base, changed, trick(base))}
    assert len(ids) == 3
    newer = Trick(trick.name, trick.version + 1, trick.source, trick.change)
    assert run_id(newer(base)) not in ids


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_a_trick_cites_its_source_and_says_what_it_does(trick: Trick) -> None:
    assert re.search(r"\b(19|20)\d\d\b", trick.source), trick.source
    assert trick.change.__doc__
    assert trick.version >= 1


def test_recipes_are_stored_under_their_own_names() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {n: n for n in RECIPES}


def test_the_five_improvements_of_2025_are_the_reported_ones() -> None:
    """Claim C21: each differs from the modern recipe in the named change only."""
    modern = find_recipe("modern")
    assert find_recipe("more_dropout").dropout == 0.35
    assert find_recipe("less_decay").weight_decay == 0.005
    assert find_recipe("label_smoothing").label_smoothing == 0.02
    assert find_recipe("gelu").activation == "gelu"
    both = find_recipe("gelu_less_decay")
    assert (both.activation, both.weight_decay) == ("gelu", 0.005)
    undone = replace(both, name=modern.name, activation="relu", weight_decay=0.01)
    assert replace(undone, tricks=modern.tricks) == modern


def test_the_factorial_ends_in_the_ladders_recipes_but_for_their_epochs() -> None:
    none, every = factorial(()), factorial(LADDER_TRICKS)
    assert replace(none, name="1989", epochs=23) == LADDER["1989"]
    assert replace(every, name="dropout_relu", epochs=80) == LADDER["dropout_relu"]
    assert factorial(reversed(LADDER_TRICKS)) == every  # the order of asking does not matter


def test_what_cannot_be_trained_is_one_line(random_data: Dataset) -> None:
    norm = TRICKS["batch_norm"](LADDER["1989"])
    with pytest.raises(InputError, match="batch normalization needs at least 2 images"):
        make_cell(random_data.info, norm, n_train=10)
    with pytest.raises(InputError, match="has a single image"):
        make_cell(random_data.info, replace(norm, batch_size=3), n_train=10)
    with pytest.raises(InputError, match="layer normalization is made for lecun1989"):
        make_cell(random_data.info, find_recipe("layer_norm"), n_train=10, model="micro_vit")
    with pytest.raises(InputError, match="second-order"):
        make_cell(random_data.info, replace(find_recipe("modern"), optimizer="sdlm"), n_train=9)
    with pytest.raises(InputError, match="unknown model 'resnet'"):
        make_cell(random_data.info, LADDER["1989"], n_train=9, model="resnet")
