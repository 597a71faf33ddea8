"""Claims about 2055: what facts and this study can say of them, and what they cannot.

Rules, written before these verdicts were computed. A trend decides a claim only if every trend
there is agrees, by the ends of its interval, and by more than such trends have missed before.
"Modest" is a gain that does not halve the error, the same measure that the claim on details has.
"""

import math
from collections.abc import Mapping
from typing import Any

from analysis.cells import LEVEL, Measured
from analysis.claims.claim import Evidence, NotRun, Outcome, claim, outcome
from analysis.facts import Rate, fact
from analysis.fit import fit
from analysis.surface import find_all, largest_test_set, surface_cells
from analysis.trends import AHEAD, HARDWARE, NETWORK, NOW, Outlook2055, outlooks
from analysis.verdicts import CONTRADICTED, SUPPORTED, UNKNOWABLE, Judged, helps

HALVED = -0.5
MODERN = "dropout_relu"
YEARS = AHEAD - NOW


@claim("C14", "2055: networks look the same only bigger", study=None)
def c14(e: Evidence) -> Outcome:
    kinds = sorted({cell.model for study in e.cells.studies for cell in e.cells.find(study)})
    sizes = next(found for found in outlooks() if found.name == "parameters")
    return outcome(
        Judged(UNKNOWABLE, None),
        "Not testable: a study trains networks that there are, here {kinds} kind(s). Of “bigger”"
        " alone: fits to systems before 1990 missed the parameters of {years:.0f} years later by"
        " {missed:.1f} orders of magnitude, and {coverage:.0%} of systems lay in their intervals.",
        kinds=len(kinds),
        years=YEARS,
        missed=sizes.cited.missed,
        coverage=sizes.cited.coverage,
    )


@claim(
    "C15",
    "2055: data sets and models are about 10000000x larger (0.212 orders of magnitude a year)",
    study=None,
)
def c15(e: Evidence) -> Outcome:  # noqa: ARG001  it rests on facts alone
    times = math.log10(fact("claim_2055_data_model").value)
    asked = times / YEARS
    models, data = (
        next(found for found in outlooks() if found.name == name) for name in ("parameters", "data")
    )
    judged = [_trends_say(found, asked) for found in (models, data)]
    values: dict[str, object] = {"asked": asked, "orders": times, "years": YEARS}
    for name, found in (("models", models), ("data", data)):
        rates = [scenario.rate.value for scenario in found.scenarios]
        values |= {
            f"{name}_low": min(rates),
            f"{name}_high": max(rates),
            f"{name}_n": len(rates),
            f"{name}_grew": math.log10(found.now / found.then),
            f"{name}_missed": found.cited.missed,
            f"{name}_coverage": found.cited.coverage,
        }
    return outcome(
        Judged(_agreed(judged), None),
        "It asks for {asked:.3f} orders of magnitude a year, {orders:.0f} in {years:.0f} years."
        " {models_n} trends of models give {models_low:.3f} to {models_high:.3f} a year, {data_n}"
        " of data {data_low:.3f} to {data_high:.3f}. From the network of 1989 to that of 2021"
        " parameters grew by {models_grew:.1f} orders and images by {data_grew:.1f}. Fits to"
        " systems before 1990 missed by {models_missed:.1f} and {data_missed:.1f} orders and their"
        " intervals held {models_coverage:.0%} and {data_coverage:.0%}.",
        **values,
    )


@claim(
    "C16",
    "2055: the state of the art of 2022 trains in about a minute on a personal device",
    study=None,
)
def c16(e: Evidence) -> Outcome:  # noqa: ARG001  it rests on facts alone
    """On hardware alone, and with algorithms that need less compute year by year."""
    needed, now = fact("needed_flops_1min_ViT_G14").value, fact("m1_peak_fp32_gpu").value
    times = math.log10(needed / now)
    years = AHEAD - float(fact("m1_peak_fp32_gpu").year)
    hardware = [fact(name).rate for name, _ in HARDWARE]
    algorithms = fact("trend_algo_vision").rate
    alone = [_reaches(rate, times, years) for rate in hardware]
    together = [_reaches(_sum(rate, algorithms), times, years) for rate in hardware]
    tests = [abs(found["test"]["missed"]) for found in (e.future or {}).get("times", ())]
    return outcome(
        Judged(_agreed([*alone, *together]), None),
        "It takes {needed:.3g} FLOP/s, {orders:.1f} orders of magnitude more than the {now:.2g} of a"
        " laptop chip of 2020: {asked:.3f} a year. {n} trends of hardware give {low:.3f} to"
        " {high:.3f} a year ({n_alone} reach it by the fastest end of their interval, missing"
        " orders otherwise); with algorithms that need less compute each year ({algorithms:.3f}"
        " orders) {n_together} reach it at their central rates. The cited trends have no back-test"
        " before 1990.",
        needed=needed,
        orders=times,
        now=now,
        asked=times / years,
        n=len(hardware),
        low=min(rate.value for rate in hardware),
        high=max(rate.value for rate in hardware),
        n_alone=sum(found != CONTRADICTED for found in alone),
        algorithms=algorithms.value,
        n_together=sum(
            (rate.value + algorithms.value) * years >= times for rate in hardware
        ),
    )


@claim("C18", "2055: data alone gives a modest gain", study="data")
def c18(e: Evidence) -> Outcome:
    """By the forms that the best recipe's curve does not reject, at 2055's number of images."""
    curve = next(iter((e.future or {}).get("curves", ())), None)
    if curve is None:
        raise NotRun("data", begun="data" in e.cells.studies)
    far, law, ahead, last = curve["far"], curve["law"], curve["ahead"], curve["errors"][-1]
    verdict = UNKNOWABLE
    if far["kept"] and far["determined"]:
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
def c19(e: Evidence) -> Outcome:
    """Whether a wider network is still better at the largest number of images it was tried with."""
    base, other = _widest(e)
    change = e.change(base, other)
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
    table = surface_cells(e.cells, MODERN, base.test_set_id)
    table = table[(table["epochs"] == base.epochs) & (table["split"] == base.split)]
    if len(table) > 5 and table["n_params"].nunique() > 2 and table["n_train"].nunique() > 2:
        joint = fit(
            (table["n_train"], table["n_params"]),
            table["error"],
            table["se"],
            form="additive",
            level=LEVEL,
        )
        ends = {name: joint.intervals[name] for name in ("alpha", "beta", "E")}
        values |= {name: joint.params[name] for name in ends}
        values |= {"ends": {name: list(pair) for name, pair in ends.items()}}
        values |= {"cells": len(table), "params": int(table["n_params"].max())}
        shown = {f"{name}_ends": _ends(pair, name == "E") for name, pair in ends.items()}
        said += (
            " The joint fit over {cells} cells up to {params:,} parameters has exponents"
            f" {{alpha:.2f}} ({shown['alpha_ends']}) of data and {{beta:.2f}} ({shown['beta_ends']})"
            f" of parameters, and a floor of {{E:.2%}} ({shown['E_ends']})."
        )
    else:
        said += " A joint fit takes three widths and three sizes."
    said += " How far that goes on beyond these sizes this study cannot say."
    return outcome(helps(change), said, change, **values)


def _widest(e: Evidence) -> tuple[Measured, Measured]:
    """The modern recipe at width 1 and at the largest width, with as many images as both have."""
    e.cell("grid", recipe=MODERN)
    test_set = largest_test_set(e.cells)
    found = [
        cell
        for cell in find_all(e.cells)
        if (cell.recipe, cell.test_set_id, cell.split) == (MODERN, test_set, "none")
    ]
    pairs = [
        (one, other)
        for one in found
        for other in found
        if one.width == 1 < other.width
        and (one.n_train, one.epochs) == (other.n_train, other.epochs)
    ]
    if not pairs:
        raise NotRun("grid", begun=True)
    return max(
        pairs, key=lambda p: (p[0].n_train, p[1].width, min(p[0].n_seeds, p[1].n_seeds))
    )


def _trends_say(found: Outlook2055, asked: float) -> str:
    """What all trends of a quantity agree on, if they have missed by less before."""
    gaps = [
        (end - asked) * (AHEAD - NETWORK)
        for scenario in found.scenarios
        for end in (scenario.rate.value, scenario.rate.low, scenario.rate.high)
        if end is not None
    ]
    if min(gaps) > found.cited.missed:
        return SUPPORTED
    return CONTRADICTED if max(gaps) < -found.cited.missed else UNKNOWABLE


def _reaches(rate: Rate, orders: float, years: float) -> str:
    ends = [end for end in (rate.value, rate.low, rate.high) if end is not None]
    if min(ends) * years >= orders:
        return SUPPORTED
    return CONTRADICTED if max(ends) * years < orders else UNKNOWABLE


def _sum(one: Rate, other: Rate) -> Rate:
    low, high = (
        None if a is None and b is None else (a if a is not None else one.value)
        + (b if b is not None else other.value)
        for a, b in ((one.low, other.low), (one.high, other.high))
    )
    return Rate(value=one.value + other.value, low=low, high=high)


def _agreed(verdicts: list[str]) -> str:
    return verdicts[0] if len(set(verdicts)) == 1 else UNKNOWABLE


def _change(error: float, low: float, high: float, last: float) -> Mapping[str, float]:
    return {"change": error / last - 1, "low": low / last - 1, "high": high / last - 1}


def _ends(pair: tuple[float | None, float | None], percent: bool) -> str:
    low, high = pair
    show = (lambda v: f"{v:.2%}") if percent else (lambda v: f"{v:.2f}")
    if low is None or high is None:
        return "unbounded" if low is None else f"above {show(low)}"
    return f"at most {show(high)}" if not low else f"{show(low)} to {show(high)}"
