"""Claims about 2055 that rest on the trends of others: what facts say of them, and cannot.

Rules, written with the facts in sight, before the verdicts were computed. A trend decides a claim
only if every trend there is agrees, by the ends of its interval, and where sizes are asked for by
more than such trends have missed before.
"""

import math
from typing import Any

from analysis.claims.claim import Evidence, Outcome, claim, outcome
from analysis.effects.decision_rules import CONTRADICTED, SUPPORTED, UNKNOWABLE, Judged
from analysis.reference.facts import Rate, fact
from analysis.reference.trends import AHEAD, BEFORE, HARDWARE, NETWORK, NOW, Growth, outlooks

YEARS = AHEAD - NOW


@claim("C14", "2055: networks look the same only bigger", study=None)
def c14(evidence: Evidence) -> Outcome:
    kinds = sorted(
        {cell.model for study in evidence.cells.studies for cell in evidence.cells.find(study)}
    )
    sizes = next(found for found in outlooks() if found.name == "parameters")
    return outcome(
        Judged(UNKNOWABLE, None),
        "Not testable: a study trains networks that there are, here {kinds} of them. Of “bigger”"
        " alone: fits to systems before {before} missed the parameters of {years:.0f} years later"
        " by {missed:.1f} orders of magnitude, and {coverage:.0%} of systems lay in their"
        " intervals.",
        kinds=len(kinds),
        before=BEFORE,
        years=YEARS,
        missed=sizes.cited.missed,
        coverage=sizes.cited.coverage,
    )


@claim(
    "C15",
    "2055: data sets and models are about 10000000x larger (0.212 orders of magnitude a year)",
    study=None,
)
def c15(evidence: Evidence) -> Outcome:  # noqa: ARG001  it rests on facts alone
    times = math.log10(fact("claim_2055_data_model").value)
    asked = times / YEARS
    models, data = (
        next(found for found in outlooks() if found.name == name) for name in ("parameters", "data")
    )
    judged = [_trends_say(found, asked) for found in (models, data)]
    values: dict[str, Any] = {
        "asked": asked,
        "orders": times,
        "years": YEARS,
        "before": BEFORE,
        "network": int(NETWORK),
    }
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
        " of data {data_low:.3f} to {data_high:.3f}. From the network of 1989 to that of {network}"
        " parameters grew by {models_grew:.1f} orders and images by {data_grew:.1f}. Fits to"
        " systems before {before} missed by {models_missed:.1f} and {data_missed:.1f} orders and"
        " their intervals held {models_coverage:.0%} and {data_coverage:.0%}.",
        **values,
    )


@claim(
    "C16",
    "2055: the state of the art of 2022 trains in about a minute on a personal device",
    study=None,
)
def c16(evidence: Evidence) -> Outcome:  # noqa: ARG001  it rests on facts alone
    """On hardware alone, and with algorithms that need less compute year by year."""
    needed = fact("train_flop_ViT_G14").value / fact("claim_2055_train_time").value
    now = fact("m1_peak_fp32_gpu").value
    times = math.log10(needed / now)
    years = AHEAD - float(fact("m1_peak_fp32_gpu").year)
    hardware = [fact(name).rate for name, _ in HARDWARE]
    algorithms = fact("trend_algo_vision").rate
    alone = [_reaches(rate, times, years) for rate in hardware]
    together = [_reaches(_sum(rate, algorithms), times, years) for rate in hardware]
    return outcome(
        Judged(_agreed([*alone, *together]), None),
        "It takes {needed:.3g} FLOP/s, {orders:.1f} orders of magnitude more than the {now:.2g} of"
        " a laptop chip of {chip}: {asked:.3f} a year. {n} trends of hardware at equal price give"
        " {low:.3f} to {high:.3f} a year; {n_alone} of them reach it even at the fast end of their"
        " interval. With algorithms that need less compute each year ({algorithms:.3f} orders, a"
        " trend too) {n_together} of {n} do. None of these trends was tested on years before it was"
        " fitted.",
        needed=needed,
        orders=times,
        now=now,
        chip=int(fact("m1_peak_fp32_gpu").year),
        asked=times / years,
        n=len(hardware),
        low=min(rate.value for rate in hardware),
        high=max(rate.value for rate in hardware),
        n_alone=sum(found != CONTRADICTED for found in alone),
        algorithms=algorithms.value,
        n_together=sum((rate.value + algorithms.value) * years >= times for rate in hardware),
    )


def _trends_say(found: Growth, asked: float) -> str:
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
        None
        if a is None and b is None
        else (a if a is not None else one.value) + (b if b is not None else other.value)
        for a, b in ((one.low, other.low), (one.high, other.high))
    )
    return Rate(value=one.value + other.value, low=low, high=high)


def _agreed(verdicts: list[str]) -> str:
    return verdicts[0] if len(set(verdicts)) == 1 else UNKNOWABLE
