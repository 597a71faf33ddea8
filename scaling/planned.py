"""Cells and members as OUT/studies/NAME.json holds them: the inverse of `scaling.study.plan`."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from scaling.recipe import Recipe
from scaling.study import Cell, Member

MALFORMED = (KeyError, TypeError, ValueError, AttributeError)  # what a plan that was edited raises


def cell_of(plain: Mapping[str, Any]) -> Cell:
    """Return the cell of a plan. Raises one of MALFORMED for what is none.

    A field that the plan does not have takes its default, which means "as before".
    """
    recipe = dict(plain["recipe"])
    if unknown := recipe.keys() - {field.name for field in fields(Recipe)}:
        raise ValueError(f"unknown fields of the recipe: {', '.join(sorted(unknown))}")
    recipe["tricks"] = tuple((name, version) for name, version in recipe.get("tricks", ()))
    start = plain.get("start")
    known = {field.name: plain[field.name] for field in fields(Cell) if field.name in plain}
    return Cell(**known | {"recipe": Recipe(**recipe), "start": cell_of(start) if start else None})


def member_of(plain: Mapping[str, Any]) -> Member:
    """Return the member of a plan. Raises one of MALFORMED for what is none."""
    return Member(**{field.name: plain[field.name] for field in fields(Member)})
