"""Recipes by their names, for studies: `from scaling.recipes import Recipe, find_recipe`."""

from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import RECIPES, find_recipe

__all__ = ["RECIPES", "Recipe", "find_recipe"]
