"""Define studies and their grids, resolve them into jobs, and predict the cost of these."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from scaling.analyses import (
    FEWER_TRICKS,
    SMALLEST_WIDTH,
    Analysis,
    Compare,
    Ladder,
    check_analyses,
    to_plan,
)
from scaling.cell import (
    Cell,
    Member,
    as_plain,
    cell_from_plan,
    cell_identity,
    complete,
    evaluated_epochs,
    identity_without,
    make_cell,
    make_members,
    members_from_plan,
)
from scaling.data.selection import DatasetInfo, Split
from scaling.errors import InputError
from scaling.models.architecture import MODEL
from scaling.recipes.ladder import BASELINE, MODERN
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import ALIASES, OF_SIZE, find_recipe, is_built_in

__all__ = [
    "BASELINE",
    "MODERN",
    "OF_SIZE",
    "Cell",
    "Grid",
    "Job",
    "Member",
    "Recipe",
    "Start",
    "Study",
    "cell_from_plan",
    "cell_identity",
    "complete",
    "evaluated_epochs",
    "identity_without",
    "is_built_in",
    "make_cell",
    "make_members",
    "members_from_plan",
    "plan",
    "predicted_seconds",
    "resolve",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Pretrain every model of a grid on this, with the same seed."""

    dataset: str
    n_train: int
    recipe: str | Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Combine all values of the axes; recipes are names or values, epochs None the recipe's own."""

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
    start: Start | None = None  # pretraining

    def __post_init__(self) -> None:
        for axis in ("dataset", "n_train", "n_test", "width", "recipe", "epochs", "seeds", "model"):
            value = getattr(self, axis)
            several = isinstance(value, Iterable) and not isinstance(value, str)
            if not (several or (axis == "epochs" and value is None)):
                raise InputError(
                    f"grid: {axis} is {value!r}, expected a tuple such as ({value!r},)"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """State a question, the grids that answer it, and the analyses of its report.

    The report prints `notes`. Without `analyses` it chooses by the shape of the grids.
    """

    name: str
    question: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...] = ()
    analyses: tuple[Analysis, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):  # it names a file
            raise InputError(
                f"study name '{self.name}': expected letters, digits, '_', '-' and '.' only"
            )
        check_analyses(self.name, self.analyses)

    def check_baselines(self) -> None:
        """Raise InputError for an analysis that compares with a recipe of no grid.

        A study whose axes are overridden may lack it: the results folder may have it already.
        """
        named = {_name_of(recipe) for grid in self.grids for recipe in grid.recipe}
        for analysis in self.analyses:
            to = getattr(analysis, "to", getattr(analysis, "compare_to", None))
            if to not in (None, SMALLEST_WIDTH, FEWER_TRICKS) and _name_of(to) not in named:
                raise InputError(
                    f"study '{self.name}': {type(analysis).__name__} compares with '{to}', expected"
                    f" a recipe of its grids: {', '.join(sorted(named))}"
                )

    def override(self, **axes: Any) -> "Study":
        """Return the study with axes of every grid replaced; None leaves an axis unchanged."""
        changes = {axis: value for axis, value in axes.items() if value is not None}
        if not changes:
            return self
        changed = "; ".join(f"{axis} {_join(value)}" for axis, value in changes.items())
        return replace(
            self,
            grids=tuple(replace(grid, **changes) for grid in self.grids),
            notes=(f"This is not the study as defined, but with {changed}.",),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Hold a cell with its members; `source` and `note` are provenance, not identity."""

    cell: Cell
    members: tuple[Member, ...]
    source: str  # the name of a data set, or the path of an .npz file on every node
    note: str = ""  # a description of the data, for the report
    start_source: str = ""  # the same for the pretraining data, if any


def resolve(study: Study, lookup: Callable[[str], tuple[str, DatasetInfo]]) -> tuple[Job, ...]:
    """Return the jobs of a study, each cell and member once.

    `lookup` turns a grid's name of a data set into its source and description.
    Raises InputError for an unknown recipe and for too many images.
    """
    named = [name for grid in study.grids for name in grid.dataset]
    named += [grid.start.dataset for grid in study.grids if grid.start]
    found = {name: lookup(name) for name in named}
    found_note = {source: info.full_note for source, info in found.values()}
    jobs: dict[str, Job] = {}
    for grid in study.grids:
        for cell, source in _cells(grid, found):
            members = make_members(cell.recipe, grid.seeds, grid.lr)
            if earlier := jobs.get(cell.cell_id):
                members = tuple(dict.fromkeys((*earlier.members, *members)))
            note = found_note[source]
            start_source = found[grid.start.dataset][0] if grid.start else ""
            jobs[cell.cell_id] = Job(
                cell=cell, members=members, source=source, note=note, start_source=start_source
            )
    return tuple(jobs.values())


def predicted_seconds(
    job: Job, us_per_example: Callable[[Cell, int], tuple[float, float]]
) -> float:
    """Return the core seconds of one job: training, and evaluation about nine times.

    `us_per_example` takes a cell and its number of members. It returns the microseconds of one
    member for training on one example and for evaluating one.
    """
    cell = job.cell
    train_us, evaluate_us = us_per_example(cell, len(job.members))
    evaluated = len(evaluated_epochs(cell.recipe.epochs)) * (cell.n_test + cell.n_train)
    one = cell.recipe.epochs * cell.n_train * train_us + evaluated * evaluate_us
    return len(job.members) * one * 1e-6


def plan(
    study: Study, jobs: Sequence[Job], seconds: Sequence[float], command: str = ""
) -> dict[str, Any]:
    """Return the contents of OUT/studies/NAME.json, which names the models of a study."""
    return {
        "name": study.name,
        "question": study.question,
        "notes": list(study.notes),
        "analyses": [to_plan(_stored(analysis, study.grids)) for analysis in study.analyses],
        "command": command,
        "cells": [
            {
                "cell_id": job.cell.cell_id,
                **as_plain(job.cell),
                "source": job.source,
                **({"start_source": job.start_source} if job.start_source else {}),
                "note": job.note,
                "predicted_s": round(cost, 3),
                "members": [
                    {"run_id": job.cell.run_id(member), **as_plain(member)}
                    for member in job.members
                ],
            }
            for job, cost in zip(jobs, seconds, strict=True)
        ],
    }


def _name_of(recipe: str | Recipe) -> str:
    """Return the name that cells have, which is never an alias."""
    return recipe.name if isinstance(recipe, Recipe) else ALIASES.get(recipe, recipe)


def _stored(analysis: Analysis, grids: Sequence[Grid]) -> Analysis:
    """Return an analysis with recipes under the names that cells have, which are never aliases."""
    own = {each.name for grid in grids for each in grid.recipe if isinstance(each, Recipe)}

    def stored(name: str) -> str:
        return name if name in own else ALIASES.get(name, name)

    match analysis:
        case Compare(to=to):
            return replace(analysis, to=stored(to))
        case Ladder(published=runs, compare_to=to):
            named = runs and tuple(replace(run, recipe=stored(run.recipe)) for run in runs)
            return replace(analysis, published=named, compare_to=to and stored(to))
    return analysis


def _cells(grid: Grid, found: dict[str, tuple[str, DatasetInfo]]) -> Iterable[tuple[Cell, str]]:
    for dataset, named in product(grid.dataset, grid.recipe):
        source, info = found[dataset]
        base = find_recipe(named) if isinstance(named, str) else named
        epochs_axis = grid.epochs or (base.epochs,)
        batch_size = grid.batch_size or base.batch_size
        recipes = [replace(base, epochs=epochs, batch_size=batch_size) for epochs in epochs_axis]
        axes = (grid.model, recipes, grid.width, grid.n_train, grid.n_test)
        for model, recipe, width, n_train, n_test in product(*axes):
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
    """Return the cell of the pretraining, whose test no report shows: it is of one image."""
    recipe = find_recipe(start.recipe) if isinstance(start.recipe, str) else start.recipe
    info = found[start.dataset][1]
    return make_cell(info, recipe, n_train=start.n_train, n_test=1, **common)


def _join(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
