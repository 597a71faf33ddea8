"""Which recipes can train which model."""

import re
from functools import cache
from typing import Literal, get_args, get_origin, get_type_hints

from scaling.errors import InputError
from scaling.models.architecture import MODEL
from scaling.recipes.recipe import Recipe
from scaling.untrusted import CONTROLS


def check_recipe(recipe: Recipe, model: str, n_train: int) -> None:
    """Raise InputError for a recipe that cannot train this model on this many images."""
    _check_words(recipe)
    if recipe.epochs < 1:
        raise InputError(f"epochs {recipe.epochs}: expected at least 1")
    only_1989 = {
        f"{recipe.norm} normalization": recipe.norm != "none",
        "residual connections": recipe.residual,
        f"connections '{recipe.connections}'": recipe.connections != "pairs",
        f"init '{recipe.init}'": recipe.init != "sqrt_fan_in",
        "the second-order method": recipe.optimizer == "sdlm",
    }
    if model != MODEL and any(only_1989.values()):
        parts = ", ".join(part for part, used in only_1989.items() if used)
        raise InputError(f"recipe {recipe.name}: {parts} is made for {MODEL}, not for {model}")
    if recipe.norm == "batch" and (recipe.batch_size == 1 or n_train % recipe.batch_size == 1):
        raise InputError(
            f"recipe {recipe.name}: batch normalization needs at least 2 images in every batch;"
            f" with batch size {recipe.batch_size} and {n_train:,} images one has a single image:"
            " use another --batch-size"
        )
    if recipe.optimizer == "sdlm" and (
        recipe.norm != "none" or recipe.residual or recipe.dropout or recipe.trainable != "all"
    ):
        raise InputError(
            f"recipe {recipe.name}: the second-order method knows the curvature of the plain"
            " network only: leave out normalization, residuals, dropout and frozen layers"
        )


def _check_words(recipe: Recipe) -> None:
    """Raise InputError for a name that names no file, and for a word that no engine knows."""
    if not re.fullmatch(rf"[^/\\{CONTROLS}]+", str(recipe.name)):
        raise InputError(
            f"recipe name {recipe.name!r}: it is part of the names of files, so expected no slash"
            " and no control character"
        )
    for name, words in _known_words().items():
        if (value := getattr(recipe, name)) not in words:
            raise InputError(
                f"recipe {recipe.name}: {name} is {value!r}, expected one of {', '.join(words)}"
            )


@cache
def _known_words() -> dict[str, tuple[str, ...]]:
    """Return the words that each field of a recipe knows, for those that know some only."""
    hints = get_type_hints(Recipe).items()
    return {name: get_args(hint) for name, hint in hints if get_origin(hint) is Literal}
