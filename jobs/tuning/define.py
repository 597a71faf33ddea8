"""Define a tuning, and read the recipe that a finished one found."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NotRequired

from pydantic import FiniteFloat, TypeAdapter
from typing_extensions import TypedDict

from jobs.tuning.search_space import TUNABLES, Tunable, choose_space
from scaling.data import datasets
from scaling.errors import InputError
from scaling.models.architecture import MODEL
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import RECIPES, find_recipe
from scaling.store.store import Store
from scaling.study import Job, make_cell, make_members

Tuned = dict[str, int | FiniteFloat]


class _Use(TypedDict):
    values: Tuned


class _Found(TypedDict):
    recipe: str
    fixed: Tuned
    best: _Use | None
    use: NotRequired[_Use | None]


FOUND = TypeAdapter[Any](_Found)
SHORT = {"epochs": "e", "batch_size": "b", "weight_decay": "wd"}  # in names of tuned recipes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A tuning of a recipe at one cell: its job has the published values, a member a seed."""

    name: str
    job: Job
    space: tuple[Tunable, ...]
    suggestions: int
    fixed: Mapping[str, int]  # values that replace the recipe's and are not tuned
    notes: tuple[str, ...] = ()


def make_tuning(
    *,
    dataset: str,
    n_train: int,
    recipe: str | Recipe,
    suggestions: int,
    n_test: int | Literal["all"] = "all",
    width: float = 1.0,
    model: str = MODEL,
    epochs: int | None = None,
    batch_size: int | None = None,
    seeds: Iterable[int] = (0, 1, 2),
    space: Sequence[str] | None = None,
    name: str | None = None,
) -> Tuning:
    """Return a tuning of a recipe at one cell.

    `space` names the values to tune. `epochs` and `batch_size` replace the recipe's and fix them.

    Raises InputError for what cannot be trained or tuned.
    """
    base = find_recipe(recipe) if isinstance(recipe, str) else recipe
    chosen = choose_space(base, space, fixed=("epochs",) if epochs else ())
    asked = {"epochs": epochs, "batch_size": batch_size}
    fixed: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    base = replace(base, **fixed)
    source, info = datasets.find(dataset)
    cell = make_cell(
        info, base, n_train=n_train, n_test=n_test, split="tune", width=width, model=model
    )
    parts = [cell.dataset, f"n{n_train}", f"w{width:g}", base.name]
    parts += [model] if model != MODEL else []
    parts += [f"{name[0]}{value}" for name, value in fixed.items()]  # as e23 in a run_id
    parts += [t.name for t in chosen] if space else []
    made = "tune-" + "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part) for part in parts)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(f"--name '{name}': expected letters, digits, '_', '-' and '.' only")
    return Tuning(
        name=name or made,
        job=Job(cell=cell, members=make_members(base, seeds), source=source, note=info.full_note),
        space=chosen,
        suggestions=suggestions,
        fixed=fixed,
        notes=("Chosen by validation images; the test set has no part in it.",),
    )


def tuned_recipe(out: str, name: str) -> Recipe:
    """Return the recipe of a finished tuning with the values to use in it, for a study.

    They are the best ones, or the published ones where nothing distinguishes the suggestions. The
    name lists the values that differ from the recipe that was tuned.

    Raises InputError where the tuning is missing or unfinished.
    """
    read, corrupt = Store(out).read_json([f"tuning/{name}.json"], FOUND)
    for file in corrupt:
        raise InputError(f"{file}: `scaling report {out}` writes it anew")
    found: dict[str, Any] = read[0] if read else {}
    if not found.get("best"):
        raise InputError(f"{out} holds no finished tuning {name}: `scaling tune` makes one")
    use = found.get("use") or found["best"]  # files written before `use` lack it
    values = {**found["fixed"], **use["values"]}
    if odd := values.keys() - {*TUNABLES, *SHORT}:
        raise InputError(f"the tuning {name} in {out} has {', '.join(sorted(odd))}: none is tuned")
    renamed = tuned_name(found["recipe"], values)
    return replace(find_recipe(found["recipe"]), name=renamed, **values)


def tuned_name(recipe: str, values: Mapping[str, Any]) -> str:
    """Return a name for the recipe with these values, such as 1989-e23-lr0.05."""
    known = RECIPES.get(recipe)
    parts = [
        f"{SHORT.get(name, name)}{value:g}"
        for name, value in values.items()
        if known is None or getattr(known, name) != value
    ]
    return "-".join([recipe, *parts])
