"""Plans against identities: each id of a plan is computed again from the plan's content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.data.datasets import NAMES, named
from scaling.errors import InputError
from scaling.plain import from_plain
from scaling.study import Cell, Member
from scaling.verifying.ledger import PLANS, Ledger

# The errors that an edited plan can cause.
MALFORMED = (InputError, KeyError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A model that a plan names, whose ids agree with its content."""

    cell: Cell
    member: Member
    source: str
    start_source: str  # the data set of its pretraining; empty without pretraining
    place: int  # in its cell, in the order of the plan


def check_plans(
    plans: Mapping[str, Mapping[str, Any]], ledger: Ledger, given: Sequence[str] = ()
) -> tuple[dict[str, Planned], set[str]]:
    """Return the models of sound plans by run_id, and every run_id that any plan names.

    `given` are files of the user's own data.
    """
    sound: dict[str, Planned] = {}
    known: set[str] = set()
    for name, plan in plans.items():
        file = f"studies/{name}.json"
        cells = plan.get("cells")
        if not isinstance(cells, list):
            ledger.about(PLANS, None, file).fail("cells", cells, "a list")
            continue
        for plain in cells:
            ledger.count(PLANS)
            try:
                cell = from_plain(Cell, plain, "cell")
                named_id, cell_id = str(plain["cell_id"]), cell.cell_id
                source, members = str(plain["source"]), list(plain["members"])
                known |= {str(member["run_id"]) for member in members}
            except MALFORMED as error:
                called = plain.get("cell_id") if isinstance(plain, dict) else plain
                ledger.about(PLANS, None, file).fail(
                    f"cell {called}", f"{type(error).__name__}: {error}", "a cell of a plan"
                )
                continue
            page = ledger.about(PLANS, None, file)
            if not page.equal("cell_id by the cell's content", cell_id, named_id):
                continue
            if not _fits(source, cell.dataset):
                page.fail(f"source of cell {cell_id}", source, f"the data set {cell.dataset}")
                continue
            start_source = plain.get("start_source") or _start_source(cell, source)
            for place, member in enumerate(members):
                found = _member(cell, member, file, ledger)
                if found:
                    sound[str(member["run_id"])] = Planned(
                        cell=cell,
                        member=found,
                        source=named(source, given),
                        start_source=named(str(start_source), given),
                        place=place,
                    )
    return sound, known


def _member(cell: Cell, plain: Mapping[str, Any], file: str, ledger: Ledger) -> Member | None:
    named_id = str(plain["run_id"])
    page = ledger.about(PLANS, named_id, file)
    ledger.count(PLANS)
    try:
        member = from_plain(Member, plain, "member")
        run_id = cell.run_id(member)
    except MALFORMED as error:
        page.fail("member", f"{type(error).__name__}: {error}", "seed, lr and weight_decay")
        return None
    return member if page.equal("run_id by the member's content", run_id, named_id) else None


def _fits(source: str, dataset: str) -> bool:
    """Return whether a source can be of a data set: a published name, or a file of that name."""
    return source == dataset if dataset in NAMES else Path(source).name == dataset


def _start_source(cell: Cell, source: str) -> str:
    """Return the pretraining's source for older plans without it: a known name or a file nearby."""
    if not cell.start:
        return ""
    name = cell.start.dataset
    return name if name in NAMES else str(Path(source).with_name(name))
