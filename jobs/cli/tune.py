"""The command `tune`, and what a study may use of it: define a tuning, read what it found."""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from jobs.cli.training import closing, cost_by, print_note
from jobs.tuning.search_space import choose_space
from scaling import engines
from scaling.data import datasets
from scaling.errors import InputError
from scaling.models.architecture import MODEL
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import RECIPES, find_recipe
from scaling.store.store import Store
from scaling.study import Job, make_cell, make_members

if TYPE_CHECKING:
    from jobs.tuning.run import Tuning

FLAGS = {  # of `train`
    "lr": "--lr",
    "weight_decay": "--weight-decay",
    "epochs": "--epochs",
    "batch_size": "--batch-size",
}
SHORT = {"epochs": "e", "batch_size": "b", "weight_decay": "wd"}  # in names of tuned recipes


def tune(a: argparse.Namespace) -> int:
    """Tune a recipe's learning rate and other values at one cell, by validation images."""
    from analysis import api
    from jobs.execution.sweep import Options
    from jobs.tuning.run import tune as run

    tuning = make_tuning(
        dataset=a.dataset,
        n_train=a.n_train,
        n_test=a.n_test,
        width=a.width,
        recipe=a.recipe,
        model=a.model,
        epochs=a.epochs,
        batch_size=a.batch_size,
        seeds=range(a.seeds),
        suggestions=a.suggestions,
        space=a.space,
        name=a.name,
    )
    engines.choose(tuning.job.cell, a.engine, a.device)
    store = Store(a.out)
    print_note(f"data set {tuning.job.cell.dataset}", tuning.job.note)
    options = Options(
        address=a.address, cpus=a.cpus, device=a.device, engine=a.engine, shared_fs=a.shared_fs
    )
    plan, state = run(
        tuning,
        cost_by(a.engine, a.device),
        store,
        options,
        partial(print, flush=True),
        command=a.command,
    )
    status = closing(plan, state, a.out)
    found, paths = api.write_tuning(store, tuning.name)
    for line in summary_lines(found):
        print(line)
    print("\n".join(paths))
    if not found["best"]:
        print(f"scaling: {tuning.name}: no suggestion could be trained", file=sys.stderr)
    return status


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
) -> "Tuning":
    """A tuning of a recipe at one cell; `epochs` fixes their number, `space` names what is tuned.

    `batch_size` is never tuned, but may be another than the recipe's.

    Raises InputError for what cannot be trained or tuned.
    """
    from jobs.tuning.run import Tuning

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

    They are the best ones, or the published ones where nothing distinguishes the suggestions. Its
    name says what differs from the recipe that was tuned.

    Raises InputError where there is none.
    """
    body = Store(out).read_file(f"tuning/{name}.json")
    found = json.loads(body) if body else {}
    if not found.get("best"):
        raise InputError(f"{out} holds no finished tuning {name}: `scaling tune` makes one")
    use = found.get("use") or found["best"]  # files written before `use` lack it
    values = {**found["fixed"], **use["values"]}
    renamed = _tuned_name(found["recipe"], values)
    return replace(find_recipe(found["recipe"]), name=renamed, **values)


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """What a tuning found, for people: values to be used, what they rest on, edges."""
    counts, best = found["suggestions"], found["best"]
    lines = [
        f"{found['name']}: {counts['done']} of {counts['asked']} suggestions done,"
        f" {counts['failed']} failed, {len(found['seeds'])} seeds each"
    ]
    for moved in found["widened"]:
        lines.append(
            f"range of {moved['name']} widened after {moved['after']} suggestions, as the best"
            f" was at its {moved['side']} edge: {_range(moved['from'])} to {_range(moved['to'])}"
        )
    if not best:
        return lines
    lines += _verdict(found)
    values = {**found["fixed"], **found["use"]["values"]}
    cell = ["--dataset", found["source"], "--n-train", found["n_train"], "--width",
            f"{found['width']:g}", "--recipe", found["recipe"]]  # fmt: skip
    cell += ["--model", found["model"]] if found["model"] != MODEL else []
    if set(values) <= set(FLAGS):
        flags = [part for name, v in values.items() for part in (FLAGS[name], f"{v:g}")]
        lines.append("scaling train " + shlex.join(map(str, [*cell, *flags])))
    given = ", ".join(f"{name}={v!r}" for name, v in values.items())
    # a recipe of the caller's own cannot be found by its name, whatever that is
    base = f'find_recipe("{found["recipe"]}")' if found["built_in"] else "recipe"
    name = _tuned_name(found["recipe"], values)
    lines.append(f'in a study: replace({base}, name="{name}", {given})')
    return lines


def best_so_far(found: Mapping[str, Any]) -> str:
    """The end of a tuning's line of progress: the values to use as `summary_lines` names them."""
    use = found["use"]
    if not use:
        return ""
    missed = f"{use['val_error']:.2%} of validation images missed at {_values(use['values'])}"
    if found["distinct"]:
        return f", best {missed}"
    alone = found["suggestions"]["done"] < 2
    return f", {missed}" if alone else f", nothing distinguishes them so far: {missed}"


def _verdict(found: Mapping[str, Any]) -> list[str]:
    """Return lines on the best values beside the published ones, if anything distinguishes them."""
    best, published, d = found["best"], found["published"], found["difference"]
    errors = [row["val_error"] for row in found["tried"] if row["status"] == "done"]
    lines, word = [], "best" if found["distinct"] else "fewest misses"
    if not found["distinct"]:
        low, high = (f"{100 * error:.2f}" for error in (min(errors), max(errors)))
        lines.append(
            f"nothing distinguishes these {len(errors)} suggestions:"
            f" {low if low == high else f'{low} to {high}'} % of validation images missed,"
            f" no further apart than chance puts them ({_how(found)})"
            if len(errors) > 1
            else "one suggestion is done: there is nothing to compare it with"
        )
    lines.append(f"{word}: {_values(best['values'])}: validation error {_error(best)}")
    if published:
        lines.append(f"published: {_values(published['values'])}: {_error(published)}")
        if best["number"] != published["number"]:
            as_well = not found["distinct"] or d["value"] >= -(d["se"] or 0.0)
            lines.append(
                f"{word} less published, paired by seed: {_points(d['value'], d['se'])}"
                + (": the published values do as well" if as_well else "")
            )
    for value in found["space"] if found["distinct"] else ():
        low, high = value["alike"]
        if low < high:
            lines.append(
                f"no worse within one standard error: {value['name']} from {low:g} to {high:g}"
            )
        if value["edge"]:
            lines.append(
                f"FLAG: the best {value['name']} {value['best']:g} is at the {value['edge']} edge"
                f" of {_range(value['range'])}: more suggestions widen it (--suggestions)"
            )
    return lines


def _how(found: Mapping[str, Any]) -> str:
    return "paired by seed, 95 %" if len(found["seeds"]) > 1 else "from images alone, 95 %"


def _tuned_name(recipe: str, values: Mapping[str, Any]) -> str:
    """A name for the recipe with these values, as 1989-e23-lr0.05, which is not its own."""
    known = RECIPES.get(recipe)
    parts = [
        f"{SHORT.get(name, name)}{value:g}"
        for name, value in values.items()
        if known is None or getattr(known, name) != value
    ]
    return "-".join([recipe, *parts])


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _error(row: Mapping[str, Any]) -> str:
    se = f" ± {100 * row['se']:.2f}" if row["se"] is not None else ""
    return f"{100 * row['val_error']:.2f}{se} %"


def _points(value: float, se: float | None) -> str:
    return f"{100 * value:+.2f}" + (f" ± {100 * se:.2f}" if se is not None else "") + " points"


def _range(ends: Sequence[float]) -> str:
    return f"[{ends[0]:.3g}, {ends[1]:.3g}]"
