"""Claims about 2055 that rest on fits of this study: data alone, and other ways beyond data.

The rules were written when the forms' answers were known. "Modest" is a gain that does not halve
the error, as in the claim on details; only forms that all agree decide it.
"""

from typing import Any

from analysis.claims.claim import Evidence, NotRun, Outcome, claim, outcome
from analysis.effects.decision_rules import UNKNOWABLE, Judgement, helps, is_modest_gain
from analysis.laws.fit import fit
from analysis.laws.limits import widen_to_limit
from analysis.present.formatting import interval
from analysis.results.cell_results import LEVEL, CellResult
from analysis.results.identity import differ_only_in
from analysis.results.surface import (
    find_usual_cells,
    group_surfaces,
    largest_test_set,
    surface_cells,
)
from scaling.study import MODERN


@claim("C18", "2055: data alone gives a modest gain", study="data")
def c18(evidence: Evidence) -> Outcome:
    """Judge by the forms that the best recipe's curve does not reject, at the images of 2055."""
    curve = next(iter((evidence.future or {}).get("curves", ())), None)
    if curve is None:
        raise NotRun("data", begun="data" in evidence.cells.studies)
    far, law, ahead, last = curve["far"], curve["law"], curve["ahead"], curve["errors"][-1]
    verdict = UNKNOWABLE
    if far["kept"] and far["determined"] and last:
        low, high = far["low"] / last - 1, far["high"] / last - 1
        verdict = is_modest_gain(low, high)
    values: dict[str, Any] = {
        "n_low": curve["n_low"],
        "n_high": curve["n_high"],
        "last": last,
        "times": ahead["times"],
        "ahead_low": ahead["low"],
        "ahead_high": ahead["high"],
        "ahead_change": _change(ahead["error"], ahead["low"], ahead["high"], last),
        "far": far["n_train"],
        "kept": far["kept"],
        "tried": len(far["forms"]),
    }
    sentence = "No form with a fitted exponent holds from {n_low:,} to {n_high:,} images."
    if law is not None:
        values |= {"alpha": law["params"]["alpha"], "alpha_ends": law["intervals"]["alpha"]}
        values |= {"a": values["alpha_ends"][0], "b": values["alpha_ends"][1]}
        sentence = (
            "From {n_low:,} to {n_high:,} images the exponent of data is {alpha:.2f}"
            " ({a:.2f} to {b:.2f})."
        )
        if values["b"] is None:
            sentence = sentence.replace("{a:.2f} to {b:.2f}", "above {a:.2f}")
    sentence += (
        " {times:.0f} times the largest set would change the test error of {last:.2%} to between"
        " {ahead_low:.2%} and {ahead_high:.2%}."
    )
    if far["low"] is not None:
        values |= {"low": far["low"], "high": far["high"]}
        sentence += (
            " At {far:.2g} images {kept} of {tried} forms are not rejected and allow {low:.2%} to"
            " {high:.2%}."
        )
    return outcome(Judgement(verdict, None), sentence, **values)


@claim(
    "C19",
    "2055: beyond that larger models bigger computers and research are needed",
    study="grid",
)
def c19(evidence: Evidence) -> Outcome:
    """Judge whether a wider network is still better at the largest number of images."""
    base, other = _widest(evidence)
    change = evidence.change(base, other)
    values: dict[str, Any] = {
        "n_train": base.n_train,
        "width": other.width,
        "change": change,
        "flop": float(other.models["train_flop"].iloc[0] / base.models["train_flop"].iloc[0]),
    }
    sentence = (
        "At {n_train:,} images width {width:g} changes the test error of the modern recipe by"
        " {change}, for {flop:.1f} times the training FLOP."
    )
    every = group_surfaces(evidence.cells, base.test_set_id)
    table = surface_cells(next(cells for cells in every if any(cell is base for cell in cells)))
    table = table[(table["epochs"] == base.epochs) & (table["split"] == base.split)]
    if len(table) > 5 and table["n_params"].nunique() > 2 and table["n_train"].nunique() > 2:
        joint = fit(
            (table["n_train"], table["n_params"]),
            table["error"],
            table["se"],
            form="additive",
            level=LEVEL,
        )
        joint = widen_to_limit(joint, float(table["limit"].max()))
        ends = {name: joint.intervals[name] for name in ("alpha", "beta", "E")}
        values |= {name: joint.params[name] for name in ends}
        values |= {"ends": {name: list(pair) for name, pair in ends.items()}}
        values |= {"cells": len(table), "params": int(table["n_params"].max())}
        data, size, floor = (interval(ends[n], percent=n == "E") for n in ("alpha", "beta", "E"))
        sentence += (
            " The joint fit over {cells} cells up to {params:,} parameters has exponents"
            f" {{alpha:.2f}} ({data}) of data and {{beta:.2f}} ({size}) of parameters, and a"
            f" floor of {{E:.2%}} ({floor})."
        )
    else:
        sentence += " A joint fit needs three widths and three sizes."
    sentence += " This study cannot tell how far that continues beyond these sizes."
    return outcome(helps(change), sentence, change, **values)


def _widest(evidence: Evidence) -> tuple[CellResult, CellResult]:
    """Return the modern recipe at width 1 and at the largest width, both with the most images."""
    evidence.cell("grid", recipe=MODERN)
    test_set = largest_test_set(evidence.cells)
    found = [
        cell
        for cell in find_usual_cells(evidence.cells)
        if (cell.recipe, cell.test_set_id, cell.split) == (MODERN, test_set, "none")
        and cell.is_built_in
    ]
    pairs = [
        (one, other)
        for one in found
        for other in found
        if one.width == 1 < other.width and differ_only_in(one, other, "width")
    ]
    if not pairs:
        raise NotRun("grid", begun=True)
    return max(pairs, key=lambda p: (p[0].n_train, p[1].width, min(p[0].n_seeds, p[1].n_seeds)))


def _change(error: float, low: float, high: float, last: float) -> dict[str, float] | None:
    """Return a range of errors relative to the last one; None where that is 0."""
    if not last:
        return None
    return {"change": error / last - 1, "low": low / last - 1, "high": high / last - 1}
