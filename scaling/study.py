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
from scaling.recipe import Recipe
from scaling.recipes import find_recipe


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

    @property
    def architecture(self) -> Architecture:
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


def resolve(study: Study, lookup: Callable[[str], tuple[str, DatasetInfo]]) -> tuple[Job, ...]:
    """The jobs of a study, each cell and member once.

    `lookup` turns what a grid calls a data set into its source and description.
    Raises InputError for what cannot be trained: an unknown recipe, too many images.
    """
    found = {name: lookup(name) for grid in study.grids for name in grid.dataset}
    found_note = {info.name: info.note for _, info in found.values()}
    jobs: dict[str, Job] = {}
    for grid in study.grids:
        for cell, source in _cells(grid, found):
            members = make_members(cell.recipe, grid.seeds)
            if earlier := jobs.get(cell.cell_id):
                members = tuple(dict.fromkeys((*earlier.members, *members)))
            note = found_note[cell.dataset]
            jobs[cell.cell_id] = Job(cell=cell, members=members, source=source, note=note)
    return tuple(jobs.values())


def make_cell(
    info: DatasetInfo,
    recipe: Recipe,
    *,
    n_train: int,
    n_test: int | Literal["all"] = "all",
    split: Split = "none",
    width: float = 1.0,
) -> Cell:
    """A cell after checking that it can be trained. Raises InputError if it cannot."""
    n_test = info.n_test if n_test == "all" else n_test
    info.check(n_train, n_test, split)
    Architecture(width)  # refuses widths that there are not
    if recipe.epochs < 1:
        raise InputError(f"epochs {recipe.epochs}: expected at least 1")
    return Cell(
        dataset=info.name,
        data_version=info.version,
        n_train=n_train,
        n_test=n_test,
        test_set_id=info.test_set_id(n_test),
        split=split,
        width=float(width),
        recipe=recipe,
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
    return _without_defaults(cell, leave_out=("recipe",)) | {
        "model": cell.model,
        "model_version": cell.model_version,
        "recipe": recipe,
    }


def predicted_seconds(job: Job, us_per_example: Callable[[Cell], tuple[float, float]]) -> float:
    """Core seconds of one job: training, and evaluation about nine times.

    `us_per_example` gives microseconds for training on one example and for evaluating one.
    """
    cell = job.cell
    train_us, evaluate_us = us_per_example(cell)
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
        axes = (grid.epochs or (base.epochs,), grid.width, grid.n_train, grid.n_test)
        for epochs, width, n_train, n_test in product(*axes):
            recipe = replace(base, epochs=epochs)
            size = {"n_train": n_train, "n_test": n_test, "width": width}
            yield make_cell(info, recipe, split=grid.split, **size), source  # type: ignore[arg-type]


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
