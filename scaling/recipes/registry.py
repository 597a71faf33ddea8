"""Every recipe that has a name: the ladder, and beside it one trick more or less."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from scaling.errors import InputError
from scaling.recipes.ladder import LADDER
from scaling.recipes.recipe import Recipe
from scaling.recipes.variants import VARIANTS

RECIPES = {**LADDER, **VARIANTS}
ALIASES = {"modern": "dropout_relu"}


def find_recipe(name: str) -> Recipe:
    """The recipe of this name or alias. Raises InputError if there is none."""
    try:
        return RECIPES[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join([*RECIPES, *ALIASES])
        raise InputError(f"unknown recipe '{name}': expected one of {known}") from None


OF_SIZE = ("epochs", "batch_size", "lr", "weight_decay")  # what a study may set beside the method


def is_built_in(recipe: Mapping[str, Any], *, but: tuple[str, ...] = OF_SIZE) -> bool:
    """Whether these fields are those of the recipe that has this name, `but` for some of them."""
    known = RECIPES.get(recipe.get("name", ""))
    if known is None:
        return False
    return all(
        recipe.get(name) == value for name, value in asdict(known).items() if name not in but
    )
