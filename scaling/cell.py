"""A cell is one point of the grid; a member is one model of a cell.

Their identity is a hash of everything that determines a result. Host, time and engine are
provenance and not part of it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Literal

from scaling.data.selection import DatasetInfo, Split
from scaling.errors import InputError
from scaling.models.architecture import MODEL, VERSION, Architecture
from scaling.models.registry import Sizes, find_model
from scaling.plain import from_plain
from scaling.recipes.recipe import Recipe
from scaling.rules import check_recipe

# Keys of a plan's entry that are no fields of the cell.
PLAN_KEYS = ("cell_id", "source", "start_source", "note", "predicted_s", "members")
MEMBER_FIELDS = ("lr", "weight_decay")  # of a recipe; a member has its own


class _Hashed:
    """Hold the names of a cell or member once they are hashed; copies and pickles leave them out.

    A plan of 100,000 models asks for each name about six times.
    """

    __slots__ = ("_names",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell(_Hashed):
    """One grid point. Its recipe is resolved: the epochs are those of this cell."""

    dataset: str
    data_version: str
    n_train: int
    n_test: int
    test_set_id: str
    split: Split
    width: float
    recipe: Recipe
    model: str = MODEL
    model_version: int = VERSION
    start: "Cell | None" = None  # training begins with the weights of this cell, of the same seed

    @property
    def sizes(self) -> Sizes:
        """Return the counts of the cell's model."""
        return find_model(self.model).sizes(self.width, self.recipe)

    @property
    def architecture(self) -> Architecture:
        """Return the layers of the 1989 network; other models have none."""
        assert self.model == MODEL
        return Architecture(self.width, self.recipe.norm)

    @property
    def cell_id(self) -> str:
        return self._own_names().cell_id

    def run_id(self, member: "Member") -> str:
        names = self._own_names()
        cached: tuple[CellNames, str] | None = getattr(member, "_names", None)
        if cached and cached[0] is names:
            return cached[1]
        run_id = names.run_id(member)
        object.__setattr__(member, "_names", (names, run_id))
        return run_id

    def _own_names(self) -> "CellNames":
        names: CellNames | None = getattr(self, "_names", None)
        if names is None:
            names = CellNames(self)
            object.__setattr__(self, "_names", names)
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(_Hashed):
    """One model of a cell; the seed determines its training subset, weights and augmentation."""

    seed: int
    lr: float
    weight_decay: float


class CellNames:
    """The names of a cell and its members: readable parts, then the hash of the identity."""

    __slots__ = ("_before", "_prefix", "cell_id")

    def __init__(self, cell: Cell) -> None:
        name = re.sub(r"[^A-Za-z0-9]+", "_", cell.dataset)
        recipe = cell.recipe
        self._prefix = f"{name}-n{cell.n_train}-w{cell.width:g}-{recipe.name}-e{recipe.epochs}"
        text = _canonical(cell_identity(cell))
        self.cell_id = f"{self._prefix}-{_digits(hashlib.sha256(text.encode()))}"
        self._before = hashlib.sha256(f'{{"cell":{text},"member":'.encode())

    def run_id(self, member: Member) -> str:
        """Return the hash of the cell and the member, of which the cell's part is hashed once."""
        whole = self._before.copy()
        whole.update(f"{_canonical(as_plain(member))}}}".encode())
        return f"{self._prefix}-s{member.seed}-{_digits(whole)}"


def make_cell(
    info: DatasetInfo,
    recipe: Recipe,
    *,
    n_train: int,
    n_test: int | Literal["all"] = "all",
    split: Split = "none",
    width: float = 1.0,
    model: str = MODEL,
    start: Cell | None = None,
) -> Cell:
    """Return a cell that can be trained. Raises InputError for one that cannot."""
    n_test = info.n_test if n_test == "all" else n_test
    info.check(n_train, n_test, split)
    found = find_model(model)
    found.sizes(width, recipe)  # raises InputError for a width that the model lacks
    check_recipe(recipe, model, n_train)
    return Cell(
        dataset=info.name,
        data_version=info.version,
        n_train=n_train,
        n_test=n_test,
        test_set_id=info.test_set_id(n_test),
        split=split,
        width=float(width),
        recipe=recipe,
        model=model,
        model_version=found.version,
        start=start,
    )


def make_members(
    recipe: Recipe, seeds: Iterable[int], lr: float | None = None
) -> tuple[Member, ...]:
    """Return a member for each seed, with the recipe's learning rate or `lr`."""
    lr = recipe.lr if lr is None else lr
    if not 0 < lr < float("inf"):
        raise InputError(f"learning rate {lr:g}: expected a positive number")
    members = tuple(Member(seed=s, lr=lr, weight_decay=recipe.weight_decay) for s in seeds)
    if not members or any(member.seed < 0 for member in members):
        raise InputError("seeds: expected at least one, each 0 or more")
    return members


@cache
def evaluated_epochs(epochs: int, *, every: bool = False, points: int = 8) -> tuple[int, ...]:
    """Return the epochs to evaluate after: all, or about `points` log-spaced and the last."""
    if every:
        return tuple(range(1, epochs + 1))
    return tuple(sorted({round(epochs ** (i / points)) for i in range(points + 1)}))


def cell_identity(cell: Cell | Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a cell, or of its entry in a plan, as JSON.

    Fields at their default are left out, so that a new field renames no stored result. Learning
    rate and weight decay belong to the member.
    """
    whole = complete(cell)
    recipe = _without_defaults(Recipe, whole["recipe"], leave_out=MEMBER_FIELDS)
    identity = _without_defaults(Cell, whole, leave_out=("recipe", "start")) | {
        "model": whole["model"],
        "model_version": whole["model_version"],
        "recipe": recipe,
    }
    if start := whole["start"]:  # it has no members of its own to hold these values
        values = {name: start["recipe"].get(name, 0.0) for name in MEMBER_FIELDS}
        identity["start"] = cell_identity(start) | values
    return identity


def identity_without(cell: Cell | Mapping[str, Any], *free: str) -> str:
    """Return a hash shared by cells that differ only in these fields of cell or recipe.

    Without `n_train` it is the identity of a learning curve.
    """
    identity = cell_identity(cell)
    recipe = {name: value for name, value in identity["recipe"].items() if name not in free}
    rest = {name: value for name, value in identity.items() if name not in free}
    return _hash(rest | {"recipe": recipe})


def complete(cell: Cell | Mapping[str, Any]) -> dict[str, Any]:
    """Return every field of a cell; a field missing from an older plan gets its default."""
    plain = as_plain(cell) if isinstance(cell, Cell) else cell
    found = {name: _to_tuples(value) for name, value in plain.items() if name not in PLAN_KEYS}
    recipe = {name: _to_tuples(value) for name, value in plain.get("recipe", {}).items()}
    start = complete(plain["start"]) if plain.get("start") else None
    return {
        **_defaults(Cell),
        **found,
        "recipe": {**_defaults(Recipe), **recipe},
        "start": start,
    }


def as_plain(value: Any) -> dict[str, Any]:
    """Return a dataclass and those within it as values for JSON."""
    return {
        name: as_plain(item) if hasattr(item, "__dataclass_fields__") else item
        for name in _field_names(value.__class__)
        for item in [getattr(value, name)]
    }


def cell_from_plan(entry: Mapping[str, Any]) -> Cell:
    """Return the cell of an entry of a plan's `cells`: the inverse of `as_plain`.

    Raises InputError for an entry that is no cell, or whose content gives another cell_id.
    """
    named = entry.get("cell_id") if isinstance(entry, Mapping) else None
    if not isinstance(named, str):
        raise InputError("a cell of the plan has no cell_id: expected the plan of a sweep")
    cell = from_plain(Cell, entry, f"cell {named}")
    if cell.cell_id != named:
        raise InputError(
            f"cell {named}: its content gives the identity {cell.cell_id}: the plan was changed or"
            " another version of this code wrote it; run the sweep again and it is written anew"
        )
    return cell


def members_from_plan(cell: Cell, entry: Mapping[str, Any]) -> tuple[Member, ...]:
    """Return the members of an entry. Raises InputError for one that gives another run_id."""
    listed = entry.get("members")
    members = []
    for number, plain in enumerate(listed if isinstance(listed, list) else []):
        member = from_plain(Member, plain, f"member {number} of cell {cell.cell_id}")
        if (run_id := cell.run_id(member)) != plain.get("run_id"):
            raise InputError(
                f"model {plain.get('run_id')}: its content gives the identity {run_id}: the plan"
                " was changed; run the sweep again and it is written anew"
            )
        members.append(member)
    if not members:
        raise InputError(f"cell {cell.cell_id}: the plan has no models of it")
    return tuple(members)


def _without_defaults(
    kind: type, values: Mapping[str, Any], leave_out: tuple[str, ...]
) -> dict[str, Any]:
    defaults = _defaults(kind)
    return {
        name: value
        for name, value in values.items()
        if name not in leave_out and not (name in defaults and defaults[name] == value)
    }


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _defaults(kind: type) -> Mapping[str, Any]:
    return {f.name: f.default for f in fields(kind) if f.default is not MISSING}


def _to_tuples(value: Any) -> Any:
    """Return JSON's lists as the tuples that they were."""
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value


def _hash(identity: dict[str, Any]) -> str:
    """Return 12 hexadecimal digits of the hash of the canonical JSON."""
    return _digits(hashlib.sha256(_canonical(identity).encode()))


def _digits(digest: "hashlib._Hash") -> str:
    return digest.hexdigest()[:12]


def _canonical(identity: dict[str, Any]) -> str:
    """Return an identity as JSON with sorted keys.

    Raises InputError for infinite values and TypeError for others that JSON cannot hold.
    """
    try:
        return _ENCODE(identity)
    except ValueError as error:
        raise InputError(f"a cell has an infinite value ({error}): expected numbers") from error


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
