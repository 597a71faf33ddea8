"""Claims about 2055 that rest on fits of this study: data alone, and what lies beyond data.

Rules, written when the forms' answers had been seen. "Modest" is a gain that does not halve the
error, the measure that the claim on details has; it is decided only where all forms agree.
"""

from typing import Any

from analysis.claims.beyond import HALVED
from analysis.claims.claim import Evidence, NotRun, Outcome, claim, outcome
from analysis.effects.decision_rules import CONTRADICTED, SUPPORTED, UNKNOWABLE, Judged, helps
from analysis.laws.fit import fit
from analysis.laws.limits import open_ended
from analysis.present.formatting import interval
from analysis.results.cell_results import LEVEL, CellResult
from analysis.results.identity import like_curve
from analysis.results.surface import find_all, largest_test_set, surface_cells, surfaces

MODERN = "dropout_relu"


@claim("C18", "2055: data alone gives a modest gain", study="data")
def c18(evidence: Evidence) -> Outcome:
    """By the forms that the best recipe's curve does not reject, at 2055's number of images."""
    curve = next(iter((evidence.future or {}).get("curves", ())), None)
    if curve is None:
        raise NotRun("data", begun="data" in evidence.cells.studies)
    far, law, ahead, last = curve["far"], curve["law"], curve["ahead"], curve["errors"][-1]
    verdict = UNKNOWABLE
    if far["kept"] and far["determined"] and last:
        low, high = far["low"] / last - 1, far["high"] / last - 1
        verdict = SUPPORTED if low > HALVED and high < 0 else UNKNOWABLE
        verdict = CONTRADICTED if high < HALVED or low > 0 else verdict
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
    said = "No form with a fitted exponent holds from {n_low:,} to {n_high:,} images."
    if law is not None:
        values |= {"alpha": law["params"]["alpha"], "alpha_ends": law["intervals"]["alpha"]}
        values |= {"a": values["alpha_ends"][0], "b": values["alpha_ends"][1]}
        said = (
            "From {n_low:,} to {n_high:,} images the exponent of data is {alpha:.2f}"
            " ({a:.2f} to {b:.2f})."
        )
        if values["b"] is None:
            said = said.replace("{a:.2f} to {b:.2f}", "above {a:.2f}")
    said += (
        " {times:.0f} times the largest set would change the test error of {last:.2%} to between"
        " {ahead_low:.2%} and {ahead_high:.2%}."
    )
    if far["low"] is not None:
        values |= {"low": far["low"], "high": far["high"]}
        said += (
            " At {far:.2g} images {kept} of {tried} forms are not rejected and allow {low:.2%} to"
            " {high:.2%}."
        )
    return outcome(Judged(verdict, None), said, **values)


@claim(
    "C19",
    "2055: beyond that larger models bigger computers and research are needed",
    study="grid",
)
def c19(evidence: Evidence) -> Outcome:
    """Whether a wider network is still better at the largest number of images it was tried with."""
    base, other = _widest(evidence)
    change = evidence.change(base, other)
    values: dict[str, Any] = {
        "n_train": base.n_train,
        "width": other.width,
        "change": change,
        "flop": float(other.models["train_flop"].iloc[0] / base.models["train_flop"].iloc[0]),
    }
    said = (
        "At {n_train:,} images width {width:g} changes the test error of the modern recipe by"
        " {change}, for {flop:.1f} times the training FLOP."
    )
    every = surfaces(evidence.cells, base.test_set_id)
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
        joint = open_ended(joint, float(table["limit"].max()))
        ends = {name: joint.intervals[name] for name in ("alpha", "beta", "E")}
        values |= {name: joint.params[name] for name in ends}
        values |= {"ends": {name: list(pair) for name, pair in ends.items()}}
        values |= {"cells": len(table), "params": int(table["n_params"].max())}
        data, size, floor = (interval(ends[n], percent=n == "E") for n in ("alpha", "beta", "E"))
        said += (
            " The joint fit over {cells} cells up to {params:,} parameters has exponents"
            f" {{alpha:.2f}} ({data}) of data and {{beta:.2f}} ({size}) of parameters, and a"
            f" floor of {{E:.2%}} ({floor})."
        )
    else:
        said += " A joint fit takes three widths and three sizes."
    said += " How far that goes on beyond these sizes this study cannot say."
    return outcome(helps(change), said, change, **values)


def _widest(evidence: Evidence) -> tuple[CellResult, CellResult]:
    """The modern recipe at width 1 and at the largest width, with as many images as both have."""
    evidence.cell("grid", recipe=MODERN)
    test_set = largest_test_set(evidence.cells)
    found = [
        cell
        for cell in find_all(evidence.cells)
        if (cell.recipe, cell.test_set_id, cell.split) == (MODERN, test_set, "none")
        and cell.is_built_in
    ]
    pairs = [
        (one, other)
        for one in found
        for other in found
        if one.width == 1 < other.width and like_curve(one, other, "width")
    ]
    if not pairs:
        raise NotRun("grid", begun=True)
    return max(pairs, key=lambda p: (p[0].n_train, p[1].width, min(p[0].n_seeds, p[1].n_seeds)))


def _change(error: float, low: float, high: float, last: float) -> dict[str, float] | None:
    """Relative to the last error; None where nothing was missed there."""
    if not last:
        return None
    return {"change": error / last - 1, "low": low / last - 1, "high": high / last - 1}
