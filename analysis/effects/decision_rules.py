"""Every rule that turns an effect, an interval or a p-value into a verdict.

The margin of 10 %, "helps" and "no gain" are older than the runs; "a lot", "about" and "crushes"
were defined while the ladder was being trained, with its mean misses in sight.

The 90 % interval of the relative change of the error decides a verdict. Its p-value is of the same
decision and two-sided, so it is below 0.1 where the interval decides; Holm's correction over the
claims table tells which verdicts hold for all claims together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.arrays import Floats
from analysis.effects.paired import Effect
from analysis.results.cell_results import LEVEL
from analysis.stats import sign_flip

SUPPORTED = "supported"
CONTRADICTED = "contradicted"
UNDECIDED = "undecided at this precision"
UNKNOWABLE = "cannot be determined by this study"
MARGIN = 0.10  # a change that is no gain, set before any run: within 10 % of the error
ABOUT = 0.10  # assumed: "by about 60 %" means 50 % to 70 %
ALPHA = 1 - LEVEL
HALVED = -0.5
FEWER, MORE, ONE_SEED = "fewer misses", "more misses", "one seed"
FEWER_IN_B, MORE_IN_B = "fewer misses in B", "more misses in B"
NOISE, UNTESTED, IDENTICAL = "within noise", "one seed: cannot be told", "identical"
HOLDS, FAILS, UNVERIFIABLE = "holds", "does not hold", "not verifiable at this precision"
CHANCE = 0.05  # assumed, the usual: how often suggestions that are alike may be told apart
LEAST_PAIRS = 20  # of a model's two trainings, below which nothing is decided


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the p-value of its decision; None without a decision or a test of it."""

    verdict: str
    p: float | None


def helps(effect: Effect) -> Judgement:
    """Support "fewer misses" below 0; contradict it above 0, or within the margin of 0."""
    if _known(effect) and effect.high < 0:
        return _judge(SUPPORTED, effect.p_below())
    if _known(effect) and effect.low > 0:
        return _judge(CONTRADICTED, effect.p_above())
    if _known(effect) and within_margin(effect.low, effect.high):
        return _judge(CONTRADICTED, effect.p_above(-MARGIN), effect.p_below(MARGIN))
    return _judge(UNDECIDED, effect.p_below())


def helps_a_lot(effect: Effect) -> Judgement:
    """Support "a lot" where the misses fall by more than the margin, its only measure here."""
    if _known(effect) and effect.high < -MARGIN:
        return _judge(SUPPORTED, effect.p_below(-MARGIN))
    if _known(effect) and effect.low > -MARGIN:
        return _judge(CONTRADICTED, effect.p_above(-MARGIN))
    return _judge(UNDECIDED, effect.p_below(-MARGIN))


def no_gain(effect: Effect) -> Judgement:
    """Support "no gain" within the margin or above 0; contradict it below the margin."""
    if _known(effect) and within_margin(effect.low, effect.high):
        return _judge(SUPPORTED, effect.p_above(-MARGIN), effect.p_below(MARGIN))
    if _known(effect) and effect.low > 0:
        return _judge(SUPPORTED, effect.p_above())
    if _known(effect) and effect.high < -MARGIN:
        return _judge(CONTRADICTED, effect.p_below(-MARGIN))
    return _judge(UNDECIDED, effect.p_above(-MARGIN), effect.p_below(MARGIN))


def is_worse(effect: Effect) -> Judgement:
    """Support "more misses" above 0; contradict it below 0, or within the margin of 0."""
    if _known(effect) and effect.low > 0:
        return _judge(SUPPORTED, effect.p_above())
    if _known(effect) and effect.high < 0:
        return _judge(CONTRADICTED, effect.p_below())
    if _known(effect) and within_margin(effect.low, effect.high):
        return _judge(CONTRADICTED, effect.p_above(-MARGIN), effect.p_below(MARGIN))
    return _judge(UNDECIDED, effect.p_above())


def is_about(effect: Effect, change: float) -> Judgement:
    """Support a stated change where the interval lies within `ABOUT` of it."""
    low, high = change - ABOUT, change + ABOUT
    if _known(effect) and low <= effect.low and effect.high <= high:
        return _judge(SUPPORTED, effect.p_above(low), effect.p_below(high))
    if _known(effect) and effect.high < low:
        return _judge(CONTRADICTED, effect.p_below(low))
    if _known(effect) and effect.low > high:
        return _judge(CONTRADICTED, effect.p_above(high))
    return _judge(UNDECIDED, effect.p_above(low), effect.p_below(high))


def halves(effect: Effect) -> Judgement:
    """Support "halves the error"; nothing contradicts it, as a better recipe may exist."""
    p = effect.p_below(HALVED)
    if p is not None and effect.high < HALVED:
        return Judgement(SUPPORTED, 2 * p)
    return Judgement(UNKNOWABLE, None)


def is_modest_gain(low: float, high: float) -> str:
    """Return the verdict on "a gain that does not halve the error", from a range of changes."""
    if high < HALVED or low > 0:
        return CONTRADICTED
    return SUPPORTED if low > HALVED and high < 0 else UNKNOWABLE


def is_zero_or_less(values: Floats) -> Judgement:
    """Support "at most 0" by a t-test of values that are one a seed."""
    if len(values) < 2:
        return Judgement(UNDECIDED, None)
    if not values.std():  # the same in every seed, as where all is learnt
        return Judgement(SUPPORTED if values[0] <= 0 else CONTRADICTED, None)
    less = float(stats.ttest_1samp(values, 0, alternative="less").pvalue)
    p = min(1.0, 2 * min(less, 1 - less))
    if p >= ALPHA:
        return Judgement(UNDECIDED, p)
    return Judgement(SUPPORTED if less < 0.5 else CONTRADICTED, p)


def reaches(rates: Sequence[float], needed: float) -> str:
    """Support where the slowest rate is enough, contradict where the fastest is not."""
    if min(rates) >= needed:
        return SUPPORTED
    return CONTRADICTED if max(rates) < needed else UNKNOWABLE


def exceeds(gaps: Sequence[float], error: float) -> str:
    """Support where every gap is above the error of such forecasts, contradict where below."""
    if min(gaps) > error:
        return SUPPORTED
    return CONTRADICTED if max(gaps) < -error else UNKNOWABLE


def unanimous(verdicts: Sequence[str]) -> str:
    """Return the verdict that all agree on."""
    return verdicts[0] if len(set(verdicts)) == 1 else UNKNOWABLE


def depends_on_size(slope_interval: tuple[float, float] | None) -> str:
    """Return the verdict on "the effect changes with size", by the interval of its slope."""
    if slope_interval is None:
        return UNKNOWABLE
    return SUPPORTED if excludes_zero(*slope_interval) else UNDECIDED


def all_of(parts: Sequence[Judgement]) -> Judgement:
    """Support a claim of several parts where all hold; one that fails contradicts it.

    Its p-value is the largest of its parts, or the smallest of those that contradict it, times
    their number (Bonferroni).
    """
    against = [part.p for part in parts if part.verdict == CONTRADICTED]
    if against:
        known = [p for p in against if p is not None]
        return Judgement(CONTRADICTED, min(1.0, len(parts) * min(known)) if known else None)
    verdict = SUPPORTED if all(part.verdict == SUPPORTED for part in parts) else UNDECIDED
    return Judgement(verdict, _largest([part.p for part in parts]))


def any_of(parts: Sequence[Judgement]) -> Judgement:
    """Return the strongest support among several, by Bonferroni's p-value over those tried."""
    best = min(parts, key=lambda part: (part.verdict != SUPPORTED, part.p or math.inf))
    return Judgement(best.verdict, None if best.p is None else min(1.0, len(parts) * best.p))


def direction(effect: Effect) -> str:
    """Return the verdict on one change in a table; nothing corrects it for the number of rows."""
    if not _known(effect):
        return ONE_SEED
    if excludes_zero(effect.low, effect.high):
        return FEWER if effect.high < 0 else MORE
    return f"within {100 * MARGIN:.0f} %" if within_margin(effect.low, effect.high) else "undecided"


def ratio_direction(low: float | None, high: float | None, n_seeds: int) -> str:
    """Return the verdict on a ratio of errors by its interval; an end of None is unbounded."""
    if n_seeds < 2:
        return ONE_SEED
    if high is not None and high < 1:
        return FEWER
    return MORE if low is not None and low > 1 else UNDECIDED


def folder_direction(p: float | None, change: float | None) -> str:
    """Return the verdict on a cell of two folders by its corrected p-value; None without a test.

    A change of None is one from no miss at all.
    """
    if p is None:
        return UNTESTED
    if not p < ALPHA:
        return NOISE
    return FEWER_IN_B if change is not None and change < 0 else MORE_IN_B


def parameter_direction(low: float, high: float) -> str:
    """Return the verdict on a fitted parameter of two folders by the interval of B less A."""
    if not excludes_zero(low, high):
        return "includes no difference"
    return "lower in B" if high < 0 else "higher in B"


def width_direction(low: float, high: float | None) -> str:
    """Return how a sentence ends on the interaction of width and data, by its interval."""
    if not excludes_zero(low, high):
        return ", and the interval includes no change"
    return f": width is worth {'less' if low > 0 else 'more'} with more data"


def reproduction(test: sign_flip.SignFlipTest, p: float) -> str:
    """Return the verdict on models that were trained again, by a p-value corrected by Holm.

    A change that is significant only before the correction is no failure; whether it holds depends
    on the interval alone, which is not corrected.
    """
    if test.n < LEAST_PAIRS:
        return UNVERIFIABLE
    if p < sign_flip.ALPHA:
        return FAILS
    return HOLDS if max(-test.low, test.high) <= MARGIN else UNVERIFIABLE


def suggestions_differ(p: float, pairs: float) -> bool:
    """Return whether the extremes of a tuning differ beyond chance, corrected for all pairs."""
    return pairs * p < CHANCE


def excludes_zero(low: float, high: float | None) -> bool:
    """Return whether an interval leaves out 0; an end of None is unbounded."""
    return low > 0 or (high is not None and high < 0)


def within_margin(low: float, high: float) -> bool:
    """Return whether an interval of changes lies within the margin."""
    return low >= -MARGIN and high <= MARGIN


def _known(effect: Effect) -> bool:
    return effect.se_seed is not None  # with one seed its noise is unknown, so nothing is decided


def _judge(verdict: str, *one_sided: float | None) -> Judgement:
    largest = _largest(one_sided)
    return Judgement(verdict, None if largest is None else min(1.0, 2 * largest))


def _largest(p_values: Sequence[float | None]) -> float | None:
    known = [p for p in p_values if p is not None]
    return max(known) if known and len(known) == len(p_values) else None
