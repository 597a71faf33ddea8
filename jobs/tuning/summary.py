"""The results of a tuning in words, for the terminal."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.tuning.define import tuned_name
from scaling.models.architecture import MODEL

FLAGS = {  # of `train`
    "lr": "--lr",
    "weight_decay": "--weight-decay",
    "epochs": "--epochs",
    "batch_size": "--batch-size",
}


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the results of a tuning in words: the values to use, their evidence, edges."""
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
    # a recipe of the user's own cannot be found by its name
    base = f'find_recipe("{found["recipe"]}")' if found["built_in"] else "recipe"
    name = tuned_name(found["recipe"], values)
    lines.append(f'in a study: replace({base}, name="{name}", {given})')
    return lines


def best_so_far(found: Mapping[str, Any]) -> str:
    """Return the end of a progress line: the values to use, as `summary_lines` names them."""
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


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _error(row: Mapping[str, Any]) -> str:
    se = f" ± {100 * row['se']:.2f}" if row["se"] is not None else ""
    return f"{100 * row['val_error']:.2f}{se} %"


def _points(value: float, se: float | None) -> str:
    return f"{100 * value:+.2f}" + (f" ± {100 * se:.2f}" if se is not None else "") + " points"


def _range(ends: Sequence[float]) -> str:
    return f"[{ends[0]:.3g}, {ends[1]:.3g}]"
