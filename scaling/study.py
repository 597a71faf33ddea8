"""What is to be trained: cells, members and studies; their identity, and what they will cost.

A cell is one point of the grid, a member one model in it. Identity is a hash of what bears on the
result and of nothing else: where, when and by which engine a model is trained is provenance.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, Literal

from scaling.architecture import MODEL, VERSION, Architecture
from scaling.data import DatasetInfo, Split
from scaling.errors import InputError
from scaling.models import Sizes, find_model
from scaling.recipe import Recipe
from scaling.recipes import find_recipe
from scaling.rules import check_recipe


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
        identity = {"cell": cell_identity(self), "member": _plain(member)}
        return f"{self._prefix}-s{member.seed}-{_hash(identity)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of a cell; the seed draws its training subset, its weights and its luck."""

    seed: int
    lr: float
    weight_decay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What every model of a grid is trained on before, with the same seed."""

    dataset: str
    n_train: int
    recipe: str | Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination of the axes; recipes are names or values, epochs None the recipe's own."""

    dataset: tuple[str, ...] = ("auto",)
    n_train: tuple[int, ...]
    n_test: tuple[int | Literal["all"], ...] = ("all",)
    split: Split = "none"
    width: tuple[float, ...] = (1.0,)
    recipe: tuple[str | Recipe, ...]
    epochs: tuple[int, ...] | None = None
    seeds: tuple[int, ...]
    model: tuple[str, ...] = (MODEL,)
    lr: float | None = None  # in place of the recipe's
    batch_size: int | None = None
    start: Start | None = None  # trained on something else first


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A question and the grids that answer it; `notes` are printed in its report."""

    name: str
    question: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):  # it names a file
            raise InputError(
                f"study name '{self.name}': expected letters, digits, '_', '-' and '.' only"
            )

    def override(self, **axes: Any) -> "Study":
        """The same study with axes of every grid replaced; None leaves one as it is."""
        changes = {axis: value for axis, value in axes.items() if value is not None}
        if not changes:
            return self
        said = "; ".join(f"{axis} {_listed(value)}" for axis, value in changes.items())
        return replace(
            self,
            grids=tuple(replace(grid, **changes) for grid in self.grids),
            notes=(f"This is not the study as defined, but with {said}.",),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A cell with its members; `source` and `note` are provenance, not identity."""

    cell: Cell
    members: tuple[Member, ...]
    source: str  # the name of a data set, or the path of an .npz file on every node
    note: str = ""  # what the data are, for people
    start_source: str = ""  # the same of the data that its models begin on, if any


def resolve(study: Study, lookup: Callable[[str], tuple[str, DatasetInfo]]) -> tuple[Job, ...]:
    """The jobs of a study, each cell and member once.

    `lookup` turns what a grid calls a data set into its source and description.
    Raises InputError for what cannot be trained: an unknown recipe, too many images.
    """
    named = [name for grid in study.grids for name in grid.dataset]
    named += [grid.start.dataset for grid in study.grids if grid.start]
    found = {name: lookup(name) for name in named}
    found_note = {info.name: info.note for _, info in found.values()}
    jobs: dict[str, Job] = {}
    for grid in study.grids:
        for cell, source in _cells(grid, found):
            members = make_members(cell.recipe, grid.seeds, grid.lr)
            if earlier := jobs.get(cell.cell_id):
                members = tuple(dict.fromkeys((*earlier.members, *members)))
            note = found_note[cell.dataset]
            start_source = found[grid.start.dataset][0] if grid.start else ""
            jobs[cell.cell_id] = Job(
                cell=cell, members=members, source=source, note=note, start_source=start_source
            )
    return tuple(jobs.values())


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


def cell_identity(cell: Cell) -> dict[str, Any]:
    """What bears on a cell's results; learning rate and weight decay belong to the member."""
    recipe = _without_defaults(cell.recipe, leave_out=("lr", "weight_decay"))
    identity = _without_defaults(cell, leave_out=("recipe", "start")) | {
        "model": cell.model,
        "model_version": cell.model_version,
        "recipe": recipe,
    }
    if cell.start:  # its members are not named, so their values are said here
        values = {"lr": cell.start.recipe.lr, "weight_decay": cell.start.recipe.weight_decay}
        identity["start"] = cell_identity(cell.start) | values
    return identity


def predicted_seconds(
    job: Job, us_per_example: Callable[[Cell, int], tuple[float, float]]
) -> float:
    """Core seconds of one job: training, and evaluation about nine times.

    `us_per_example` gives microseconds for training one of so many members of a cell on one
    example, and for evaluating one.
    """
    cell = job.cell
    train_us, evaluate_us = us_per_example(cell, len(job.members))
    evaluated = len(evaluated_epochs(cell.recipe.epochs)) * (cell.n_test + cell.n_train)
    one = cell.recipe.epochs * cell.n_train * train_us + evaluated * evaluate_us
    return len(job.members) * one * 1e-6


def plan(
    study: Study, jobs: Sequence[Job], seconds: Sequence[float], command: str = ""
) -> dict[str, Any]:
    """What OUT/studies/NAME.json holds; it says what belongs together."""
    return {
        "name": study.name,
        "question": study.question,
        "notes": list(study.notes),
        "command": command,
        "cells": [
            {
                "cell_id": job.cell.cell_id,
                **_plain(job.cell),
                "source": job.source,
                "note": job.note,
                "predicted_s": round(cost, 3),
                "members": [
                    {"run_id": job.cell.run_id(member), **_plain(member)} for member in job.members
                ],
            }
            for job, cost in zip(jobs, seconds, strict=True)
        ],
    }


def _cells(grid: Grid, found: dict[str, tuple[str, DatasetInfo]]) -> Iterable[tuple[Cell, str]]:
    for dataset, named in product(grid.dataset, grid.recipe):
        source, info = found[dataset]
        base = find_recipe(named) if isinstance(named, str) else named
        epochs_axis = grid.epochs or (base.epochs,)
        axes = (grid.model, epochs_axis, grid.width, grid.n_train, grid.n_test)
        for model, epochs, width, n_train, n_test in product(*axes):
            recipe = replace(base, epochs=epochs, batch_size=grid.batch_size or base.batch_size)
            common: dict[str, Any] = {"width": width, "model": model}
            cell = make_cell(
                info,
                recipe,
                n_train=n_train,
                n_test=n_test,
                split=grid.split,
                start=_start_cell(grid.start, found, common) if grid.start else None,
                **common,
            )
            yield cell, source


def _start_cell(
    start: Start, found: dict[str, tuple[str, DatasetInfo]], common: dict[str, Any]
) -> Cell:
    """What is trained first: tested on nothing that anybody looks at, hence on one image."""
    recipe = find_recipe(start.recipe) if isinstance(start.recipe, str) else start.recipe
    info = found[start.dataset][1]
    return make_cell(info, recipe, n_train=start.n_train, n_test=1, **common)


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _plain(value: Any) -> dict[str, Any]:
    """A frozen value and those within it as what JSON can hold."""
    return {
        field.name: _plain(item) if hasattr(item, "__dataclass_fields__") else item
        for field in fields(value)
        for item in [getattr(value, field.name)]
    }


def _without_defaults(value: Any, leave_out: tuple[str, ...]) -> dict[str, Any]:
    """Only what differs from "as before", so that a new field renames no stored result."""
    return {
        field.name: getattr(value, field.name)
        for field in fields(value)
        if field.name not in leave_out and getattr(value, field.name) != field.default
    }


def _hash(identity: dict[str, Any]) -> str:
    """12 hexadecimal digits of the canonical JSON; raises TypeError on what JSON cannot hold."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
