"""A cell is one point of the grid, a member one model in it; what bears on a result names it.

Identity is a hash of that and of nothing else: where, when and by which engine a model is trained
is provenance.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal

from scaling.data.selection import DatasetInfo, Split
from scaling.errors import InputError
from scaling.models.architecture import MODEL, VERSION, Architecture
from scaling.models.registry import Sizes, find_model
from scaling.plain import from_plain
from scaling.recipes.recipe import Recipe
from scaling.rules import check_recipe

# What plans say beside a cell's own fields.
OF_PLANS = ("cell_id", "source", "start_source", "note", "predicted_s", "members")
OF_MEMBERS = ("lr", "weight_decay")  # in a recipe, but a member brings its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One grid point. The recipe is the resolved one, its epochs included."""

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
    start: "Cell | None" = None  # whose trained weights, of the same seed, it begins with

    @property
    def sizes(self) -> Sizes:
        """The counts of its model."""
        return find_model(self.model).sizes(self.width, self.recipe)

    @property
    def architecture(self) -> Architecture:
        """The layers of the 1989 network; no other model has them."""
        assert self.model == MODEL
        return Architecture(self.width, self.recipe.norm)

    @property
    def cell_id(self) -> str:
        return f"{self._prefix}-{_hash(cell_identity(self))}"

    @property
    def _prefix(self) -> str:
        name = re.sub(r"[^A-Za-z0-9]+", "_", self.dataset)
        return f"{name}-n{self.n_train}-w{self.width:g}-{self.recipe.name}-e{self.recipe.epochs}"

    def run_id(self, member: "Member") -> str:
        identity = {"cell": cell_identity(self), "member": as_plain(member)}
        return f"{self._prefix}-s{member.seed}-{_hash(identity)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of a cell; the seed draws its training subset, its weights and its luck."""

    seed: int
    lr: float
    weight_decay: float


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
    """A cell after checking that it can be trained. Raises InputError if it cannot."""
    n_test = info.n_test if n_test == "all" else n_test
    info.check(n_train, n_test, split)
    found = find_model(model)
    found.sizes(width, recipe)  # refuses widths that there are not
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
    """One member for each seed, at the recipe's learning rate or at `lr`."""
    lr = recipe.lr if lr is None else lr
    if not 0 < lr < float("inf"):
        raise InputError(f"learning rate {lr:g}: expected a positive number")
    members = tuple(Member(seed=s, lr=lr, weight_decay=recipe.weight_decay) for s in seeds)
    if not members or any(member.seed < 0 for member in members):
        raise InputError("seeds: expected at least one, each 0 or more")
    return members


def evaluated_epochs(epochs: int, *, every: bool = False, points: int = 8) -> tuple[int, ...]:
    """Epochs after which a model is evaluated: all, or about `points` log-spaced and the last."""
    if every:
        return tuple(range(1, epochs + 1))
    return tuple(sorted({round(epochs ** (i / points)) for i in range(points + 1)}))


def cell_identity(cell: Cell | Mapping[str, Any]) -> dict[str, Any]:
    """Return what bears on a cell's results, of a cell or of its entry in a plan.

    Fields at their default ("as before") are left out, so that a new field renames no stored
    result. Learning rate and weight decay belong to the member.
    """
    whole = complete(cell)
    recipe = _without_defaults(Recipe, whole["recipe"], leave_out=OF_MEMBERS)
    identity = _without_defaults(Cell, whole, leave_out=("recipe", "start")) | {
        "model": whole["model"],
        "model_version": whole["model_version"],
        "recipe": recipe,
    }
    if start := whole["start"]:  # its members are not named, so their values are said here
        values = {name: start["recipe"].get(name, 0.0) for name in OF_MEMBERS}
        identity["start"] = cell_identity(start) | values
    return identity


def identity_without(cell: Cell | Mapping[str, Any], *free: str) -> str:
    """Return a hash that cells share where they differ in these fields, or the recipe's, only.

    Without `n_train` it is the identity of a curve.
    """
    identity = cell_identity(cell)
    recipe = {name: value for name, value in identity["recipe"].items() if name not in free}
    rest = {name: value for name, value in identity.items() if name not in free}
    return _hash(rest | {"recipe": recipe})


def complete(cell: Cell | Mapping[str, Any]) -> dict[str, Any]:
    """Return every field of a cell; one that an older plan lacks has its default."""
    plain = as_plain(cell) if isinstance(cell, Cell) else cell
    found = {name: _frozen(value) for name, value in plain.items() if name not in OF_PLANS}
    recipe = {name: _frozen(value) for name, value in plain.get("recipe", {}).items()}
    start = complete(plain["start"]) if plain.get("start") else None
    return _defaults(Cell) | found | {"recipe": _defaults(Recipe) | recipe, "start": start}


def as_plain(value: Any) -> dict[str, Any]:
    """A frozen value and those within it as what JSON can hold."""
    return {
        field.name: as_plain(item) if hasattr(item, "__dataclass_fields__") else item
        for field in fields(value)
        for item in [getattr(value, field.name)]
    }


def cell_from_plan(entry: Mapping[str, Any]) -> Cell:
    """The cell of an entry of a plan's `cells`: the inverse of `as_plain`.

    Raises InputError for an entry that is no cell, or one whose content gives another cell_id.
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
    """The members of the same entry. Raises InputError for one that gives another run_id."""
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


def _defaults(kind: type) -> dict[str, Any]:
    return {f.name: f.default for f in fields(kind) if f.default is not MISSING}


def _frozen(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _hash(identity: dict[str, Any]) -> str:
    """12 hexadecimal digits of the canonical JSON; raises TypeError on what JSON cannot hold."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
