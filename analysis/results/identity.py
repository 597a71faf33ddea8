"""Group cells by their identity, never by the name of their recipe.

A cell is known by its entry in a plan. What it shares with others is a hash of that entry without
the fields in which they may differ; learning rate and weight decay are the members' own, and may be
tuned for each size, so they part cells only where the rest leaves two in one place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from scaling.study import complete, identity_without, is_built_in

OF_A_CURVE = ("n_train",)  # what may differ within a curve
USUAL = "lecun1989"  # the model that recipes are made for
RATES = ("lr", "weight_decay")


class Identified(Protocol):
    """A cell as it was planned, with the rates of its members."""

    @property
    def planned_cell(self) -> Mapping[str, Any]: ...
    @property
    def lr(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


C = TypeVar("C", bound=Identified)


def curve_id(planned: Mapping[str, Any]) -> str:
    """Return the identity of the curve that a planned cell is a point of."""
    return identity_without(planned, *OF_A_CURVE)


def like_curve(one: Identified, other: Identified, *free: str) -> bool:
    """Whether two cells differ in these fields only, and perhaps in their rates."""
    return identity_without(one.planned_cell, *free) == identity_without(other.planned_cell, *free)


def facts_of(planned: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    """Return a planned cell as one flat table of fields; those of its members are given by name."""
    whole = complete(planned)
    recipe = {name: value for name, value in whole["recipe"].items() if name not in RATES}
    recipe["recipe"] = recipe.pop("name", "")
    return {**whole, **recipe, **own}


def as_planned(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cell as plans have it, of which only some facts are known, by their names here."""
    of_recipe = {"recipe": "name", "epochs": "epochs", "batch_size": "batch_size"}
    recipe = {name: known[fact] for fact, name in of_recipe.items() if fact in known}
    return {k: v for k, v in known.items() if k not in (*of_recipe, *RATES)} | {"recipe": recipe}


def grouped(
    cells: Iterable[C], along: Sequence[str], *, loose: Sequence[str] = ()
) -> list[list[C]]:
    """Return groups of cells that differ in the fields `along` only.

    `loose` fields, and rates, may differ too, until two cells of a group stand at the same place.
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
    return cell.lr, cell.weight_decay


def only_one(cells: Sequence[C], *, like: C | None = None) -> C | None:
    """Return the cell that is meant where several share a name; None where that cannot be told.

    A recipe's name stands for the recipe that is built in. Of its cells, the one is meant that is
    trained `like` the other: begun on the same, as long, at the same rates; or as published.
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
    """Whether its models were trained as the built-in recipe says, epochs and rates included."""
    own, whole = dict(zip(RATES, rates_of(cell), strict=True)), complete(cell.planned_cell)
    usual = whole["model"] == USUAL and whole["start"] is None
    return usual and is_built_in({**whole["recipe"], **own}, but=())


def _apart(
    groups: Iterable[list[C]], along: Sequence[str], by: Callable[[C], Any]
) -> list[list[C]]:
    """Part the groups in which two cells stand at the same place."""
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
