"""Every named recipe: the ladder and its variants."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from scaling.errors import InputError
from scaling.recipes.ladder import LADDER, MODERN
from scaling.recipes.recipe import Recipe
from scaling.recipes.variants import VARIANTS

RECIPES = {**LADDER, **VARIANTS}
ALIASES = {"modern": MODERN}
OF_SIZE = ("epochs", "batch_size", "lr", "weight_decay")  # a study may change these


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name or alias. Raises InputError for an unknown one."""
    try:
        return RECIPES[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join([*RECIPES, *ALIASES])
        raise InputError(f"unknown recipe '{name}': expected one of {known}") from None


def is_built_in(recipe: Mapping[str, Any], *, but: tuple[str, ...] = OF_SIZE) -> bool:
    """Return whether these fields equal those of the recipe of this name, `but` for some."""
    known = RECIPES.get(recipe.get("name", ""))
    if known is None:
        return False
    return all(
        recipe.get(name) == value for name, value in asdict(known).items() if name not in but
    )
