"""Every recipe that has a name: the ladder, and beside it one trick more or less."""

from scaling.errors import InputError
from scaling.ladder import LADDER
from scaling.recipe import Recipe
from scaling.variants import VARIANTS

RECIPES = {**LADDER, **VARIANTS}
ALIASES = {"modern": "dropout_relu"}


def find_recipe(name: str) -> Recipe:
    """The recipe of this name or alias. Raises InputError if there is none."""
    try:
        return RECIPES[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join([*RECIPES, *ALIASES])
        raise InputError(f"unknown recipe '{name}': expected one of {known}") from None
