"""From an effect to a verdict, by rules that are written here.

The margin of 10 % and "helps" and "no gain" are older than the runs; what "a lot", "about" and
"crushes" mean was written while the ladder was being trained, with its mean misses in sight.

A verdict is decided by the 90 % interval of the relative change of the error. The p-value beside it
is of the same decision and two-sided, so that it is below 0.1 where the interval decides; Holm's
correction over the claims table says which verdicts hold when all of them are looked at together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.effects.paired import Effect
from analysis.results.cell_results import LEVEL

SUPPORTED = "supported"
CONTRADICTED = "contradicted"
UNDECIDED = "undecided at this precision"
UNKNOWABLE = "cannot be determined by this study"
MARGIN = 0.10  # a change that is no gain, set before any run: within 10 % of the error
ABOUT = 0.10  # "by about 60 %" is taken as 50 % to 70 %, assumed
ALPHA = 1 - LEVEL


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and the p-value of the decision, None where none was made or can be tested."""

    verdict: str
    p: float | None


def helps(effect: Effect) -> Judged:
    """Fewer misses: the interval lies below 0. Contradicted above 0, or within the margin of 0."""
    if _known(effect) and effect.high < 0:
        return _judged(SUPPORTED, effect.p_below())
    if _known(effect) and effect.low > 0:
        return _judged(CONTRADICTED, effect.p_above())
    if _known(effect) and _within_margin(effect):
        return _judged(CONTRADICTED, effect.p_above(-MARGIN), effect.p_below(MARGIN))
    return _judged(UNDECIDED, effect.p_below())


def helps_a_lot(effect: Effect) -> Judged:
    """Fewer misses by more than the margin, as "a lot" has no other meaning here."""
    if _known(effect) and effect.high < -MARGIN:
        return _judged(SUPPORTED, effect.p_below(-MARGIN))
    if _known(effect) and effect.low > -MARGIN:
        return _judged(CONTRADICTED, effect.p_above(-MARGIN))
    return _judged(UNDECIDED, effect.p_below(-MARGIN))


def no_gain(effect: Effect) -> Judged:
    """No gain: the interval lies within the margin, or shows harm; a gain beyond it contradicts."""
    if _known(effect) and _within_margin(effect):
        return _judged(SUPPORTED, effect.p_above(-MARGIN), effect.p_below(MARGIN))
    if _known(effect) and effect.low > 0:
        return _judged(SUPPORTED, effect.p_above())
    if _known(effect) and effect.high < -MARGIN:
        return _judged(CONTRADICTED, effect.p_below(-MARGIN))
    return _judged(UNDECIDED, effect.p_above(-MARGIN), effect.p_below(MARGIN))


def is_worse(effect: Effect) -> Judged:
    """More misses: the interval lies above 0. Contradicted below 0, or within the margin of 0."""
    if _known(effect) and effect.low > 0:
        return _judged(SUPPORTED, effect.p_above())
    if _known(effect) and effect.high < 0:
        return _judged(CONTRADICTED, effect.p_below())
    if _known(effect) and _within_margin(effect):
        return _judged(CONTRADICTED, effect.p_above(-MARGIN), effect.p_below(MARGIN))
    return _judged(UNDECIDED, effect.p_above())


def is_about(effect: Effect, change: float) -> Judged:
    """The interval lies within `ABOUT` of a stated change."""
    low, high = change - ABOUT, change + ABOUT
    if _known(effect) and low <= effect.low and effect.high <= high:
        return _judged(SUPPORTED, effect.p_above(low), effect.p_below(high))
    if _known(effect) and effect.high < low:
        return _judged(CONTRADICTED, effect.p_below(low))
    if _known(effect) and effect.low > high:
        return _judged(CONTRADICTED, effect.p_above(high))
    return _judged(UNDECIDED, effect.p_above(low), effect.p_below(high))


def all_of(parts: Sequence[Judged]) -> Judged:
    """A claim of several parts holds if all hold; one that fails contradicts it.

    Its p-value is the largest of its parts, or the smallest of those that contradict it, times
    their number (Bonferroni).
    """
    against = [part.p for part in parts if part.verdict == CONTRADICTED]
    if against:
        known = [p for p in against if p is not None]
        return Judged(CONTRADICTED, min(1.0, len(parts) * min(known)) if known else None)
    verdict = SUPPORTED if all(part.verdict == SUPPORTED for part in parts) else UNDECIDED
    return Judged(verdict, _largest([part.p for part in parts]))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


Rule = Callable[[Effect], Judged]


def _known(effect: Effect) -> bool:
    return effect.se_seed is not None  # with one seed its noise is unknown, so nothing is decided


def _within_margin(effect: Effect) -> bool:
    return effect.low >= -MARGIN and effect.high <= MARGIN


def _judged(verdict: str, *one_sided: float | None) -> Judged:
    largest = _largest(one_sided)
    return Judged(verdict, None if largest is None else min(1.0, 2 * largest))


def _largest(p_values: Sequence[float | None]) -> float | None:
    known = [p for p in p_values if p is not None]
    return max(known) if known and len(known) == len(p_values) else None
