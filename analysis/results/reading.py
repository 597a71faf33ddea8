"""How a study is read: by the analyses that its plan names, else by the shape of its grid."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.analyses import (
    SMALLEST_WIDTH,
    Analysis,
    Compare,
    Epochs,
    Factorial,
    Interaction,
    ScalingCurve,
    Screening,
    from_plan,
)
from scaling.errors import InputError
from scaling.older_plans import READ_AS
from scaling.study import complete, identity_without

Entry = Mapping[str, Any]
PLACE = ("dataset", "data_version", "test_set_id", "split", "n_train", "width", "model", "start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The analyses of a study, and whether the report chose them by the shape of its grid."""

    analyses: tuple[Analysis, ...]
    by_shape: bool = False
    newer: bool = False  # a newer version named analyses that this one lacks

    @property
    def has_curves(self) -> bool:
        return any(isinstance(analysis, ScalingCurve) for analysis in self.analyses)


def read_as(plan: Mapping[str, Any]) -> Reading:
    """Return how to read a stored study. A tuning has no analyses: its values are only chosen.

    Raises InputError for a plan whose analyses are damaged.
    """
    if "tuning" in plan:
        return Reading(analyses=())
    if named := plan.get("analyses"):
        if not isinstance(named, Sequence) or isinstance(named, str):
            raise InputError(f"plan {plan['name']}: analyses is {named!r}, expected a list")
        found = [from_plan(each) for each in named]
        known = tuple(analysis for analysis in found if analysis is not None)
        newer = len(known) < len(found)
        return Reading(analyses=known or _by_shape(plan["cells"]), by_shape=not known, newer=newer)
    if "analyses" not in plan and plan["name"] in READ_AS:
        return Reading(analyses=READ_AS[plan["name"]])
    return Reading(analyses=_by_shape(plan["cells"]), by_shape=True)


def studies_with_curves(plans: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the studies whose cells are points of scaling curves."""
    return [name for name, plan in plans.items() if read_as(plan).has_curves]


def sentence_of(reading: Reading) -> str | None:
    """Return which analyses the report chose, or cannot make; None where it obeys the plan."""
    if reading.newer:
        lost = "The study names analyses of a newer version of this package, which are left out."
        return lost + (f" {_chosen(reading)}" if reading.by_shape else "")
    if reading.by_shape:
        return f"The study names no analyses. {_chosen(reading)}"
    return None


def _chosen(reading: Reading) -> str:
    return (
        "The report chose by the shape of the grid:"
        f" {'; '.join(map(_words, reading.analyses))}. `Study(analyses=...)` chooses others."
    )


def _words(analysis: Analysis) -> str:
    match analysis:
        case Compare(to=to) if to == SMALLEST_WIDTH:
            return "each width against the smallest"
        case Compare(to=to):
            return f"each recipe against “{to}”, the first of the study"
    words = {
        ScalingCurve: "scaling curves over the number of training images",
        Interaction: "the interaction of width and training images",
        Factorial: "the worth of each trick over all combinations",
        Epochs: "the best number of epochs by validation",
        Screening: "candidates by validation error",
    }
    return words[type(analysis)]


def _by_shape(entries: Sequence[Entry]) -> tuple[Analysis, ...]:
    cells = [complete(entry) for entry in entries]
    tested = [cell for cell in cells if cell["split"] == "none"]
    chosen: list[Analysis] = []
    if _vary(cells, "n_train"):
        chosen.append(ScalingCurve())
    if tricks := _factorial(tested):
        chosen.append(tricks)
    elif _several_recipes(tested):
        chosen.append(Compare(to=str(tested[0]["recipe"]["name"])))
    if _vary(tested, "width"):
        chosen.append(Compare(to=SMALLEST_WIDTH, axis="n_macs"))
        if _corners(tested):
            chosen.append(Interaction("width", "n_train"))
    tuned = [cell for cell in cells if cell["split"] == "tune"]
    if _vary(tuned, "epochs"):
        chosen.append(Epochs())
    elif _several_recipes(tuned):
        chosen.append(Screening())
    return tuple(chosen) or (ScalingCurve(),)


def _grouped(cells: Iterable[Entry], *free: str) -> list[list[Entry]]:
    """Return groups of cells that differ in these fields only."""
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    for cell in cells:
        groups[identity_without(cell, *free)].append(cell)
    return list(groups.values())


def _value(cell: Entry, name: str) -> Any:
    return cell["recipe"][name] if name in cell["recipe"] else cell[name]


def _vary(cells: Iterable[Entry], name: str) -> bool:
    """Whether some cells differ in this field only."""
    return any(len({_value(cell, name) for cell in g}) > 1 for g in _grouped(cells, name))


def _places(cells: Iterable[Entry]) -> list[list[Entry]]:
    """Return groups of cells that share data, size, width and model."""
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    for cell in cells:
        groups[repr([cell.get(name) for name in PLACE])].append(cell)
    return list(groups.values())


def _several_recipes(cells: Iterable[Entry]) -> bool:
    return any(len({cell["recipe"]["name"] for cell in place}) > 1 for place in _places(cells))


def _factorial(cells: Sequence[Entry]) -> Factorial | None:
    """Return the factorial whose every combination of at least two tricks is in one place."""
    for place in _places(cells):
        sets = {frozenset(name for name, _ in cell["recipe"]["tricks"]) for cell in place}
        tricks = frozenset().union(*sets)
        if len(tricks) > 1 and len(sets) == 2 ** len(tricks):
            return Factorial()
    return None


def _corners(cells: Iterable[Entry]) -> bool:
    """Whether some cells that differ in width and size only include all four corners."""
    for group in _grouped(cells, "n_train", "width"):
        at = {(cell["n_train"], cell["width"]) for cell in group}
        sizes, widths = ({place[i] for place in at} for i in (0, 1))
        corners = {(n, w) for n in (min(sizes), max(sizes)) for w in (min(widths), max(widths))}
        if len(corners) == 4 and corners <= at:
            return True
    return False
