"""Group cells by their identity, never by the name of their recipe.

The entry in a plan identifies a cell. Cells of a group share the hash of that entry without the
fields in which they may differ. Learning rate and weight decay belong to the members and may be
tuned for each size, so they split a group only where two cells have the same place in it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from scaling.study import complete, identity_without, is_built_in

OF_A_CURVE = ("n_train",)  # the fields that may differ within a curve
USUAL = "lecun1989"  # the model that recipes are made for
RATES = ("lr", "weight_decay")


class Identified(Protocol):
    """A planned cell with the rates of its members."""

    @property
    def planned_cell(self) -> Mapping[str, Any]: ...
    @property
    def lr(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


C = TypeVar("C", bound=Identified)


def curve_id(planned: Mapping[str, Any]) -> str:
    """Return the identity of the curve to which a planned cell belongs."""
    return identity_without(planned, *OF_A_CURVE)


def differ_only_in(one: Identified, other: Identified, *free: str) -> bool:
    """Return whether two cells differ in these fields only, and perhaps in their rates."""
    return identity_without(one.planned_cell, *free) == identity_without(other.planned_cell, *free)


def facts_of(planned: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    """Return a planned cell as one flat table of fields, with `own` fields of its members."""
    whole = complete(planned)
    recipe = {name: value for name, value in whole["recipe"].items() if name not in RATES}
    recipe["recipe"] = recipe.pop("name", "")
    return {**whole, **recipe, **own}


def planned_from_facts(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a plan from the known facts of a cell."""
    of_recipe = {"recipe": "name", "epochs": "epochs", "batch_size": "batch_size"}
    recipe = {name: known[fact] for fact, name in of_recipe.items() if fact in known}
    return {k: v for k, v in known.items() if k not in (*of_recipe, *RATES)} | {"recipe": recipe}


def group_cells(
    cells: Iterable[C], along: Sequence[str], *, loose: Sequence[str] = ()
) -> list[list[C]]:
    """Return groups of cells that differ in the fields `along` only.

    `loose` fields, and rates, may differ too, unless two cells of a group share a place.
    """
    found: dict[str, list[C]] = {}
    for cell in cells:
        found.setdefault(identity_without(cell.planned_cell, *along, *loose), []).append(cell)
    groups = list(found.values())
    for field in loose:
        groups = _apart(groups, along, partial(_fact, field))
    return _apart(groups, along, rates_of)


def _fact(name: str, cell: Identified) -> Any:
    return facts_of(cell.planned_cell).get(name)


def rates_of(cell: Identified) -> tuple[float, float]:
    """Return the learning rate and weight decay."""
    return cell.lr, cell.weight_decay


def only_one(cells: Sequence[C], *, like: C | None = None) -> C | None:
    """Return the cell of a recipe name that several share; None where several or none remain.

    The name stands for the built-in recipe. Of its cells, the one counts that was trained `like`
    the other, with the same pretraining, epochs and rates; else the one trained as published.
    """
    rules: list[Callable[[C], bool]] = [
        lambda cell: is_built_in(complete(cell.planned_cell)["recipe"])
    ]
    if like is not None:
        mine = complete(like.planned_cell)
        rules += [
            lambda cell: complete(cell.planned_cell)["model"] == mine["model"],
            lambda cell: complete(cell.planned_cell)["start"] == mine["start"],
            lambda cell: cell.planned_cell["recipe"].get("epochs") == mine["recipe"].get("epochs"),
            lambda cell: rates_of(cell) == rates_of(like),
        ]
    rules.append(as_published)
    left = list(cells)
    for rule in rules:
        if len(left) > 1:
            left = [cell for cell in left if rule(cell)] or left
    return left[0] if len(left) == 1 else None


def as_published(cell: Identified) -> bool:
    """Return whether its models were trained by the built-in recipe, epochs and rates included."""
    own, whole = dict(zip(RATES, rates_of(cell), strict=True)), complete(cell.planned_cell)
    usual = whole["model"] == USUAL and whole["start"] is None
    return usual and is_built_in({**whole["recipe"], **own}, but=())


def _apart(
    groups: Iterable[list[C]], along: Sequence[str], by: Callable[[C], Any]
) -> list[list[C]]:
    """Split the groups in which two cells stand at the same place."""
    found: list[list[C]] = []
    for group in groups:
        places = [tuple(facts_of(c.planned_cell).get(name) for name in along) for c in group]
        if len(set(places)) == len(
            {(place, by(c)) for place, c in zip(places, group, strict=True)}
        ):
            found.append(group)
            continue
        parts: dict[Any, list[C]] = {}
        for cell in group:
            parts.setdefault(by(cell), []).append(cell)
        found += parts.values()
    return found
