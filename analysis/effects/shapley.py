"""What each trick is worth when every combination of them was trained, whatever the order.

Shapes: none; effects are sums of log errors, so that they add up over the tricks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

from analysis.effects.paired import Effect, Resampler
from analysis.results.cell_results import LEVEL, CellResult

Subset = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrickEffect:
    """One trick: alone, taken from all, and averaged over the orders of adding them."""

    trick: str
    average: Effect
    alone: Effect
    last: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """How two tricks together differ from the product of each; below 0 they help each other."""

    tricks: tuple[str, str]
    effect: Effect


def combinations_of(cells: Sequence[CellResult]) -> dict[Subset, CellResult]:
    """The cells of a factorial by which tricks they have."""
    return {frozenset(cell.tricks): cell for cell in cells}


def missing_of(tricks: Sequence[str], by_tricks: Mapping[Subset, CellResult]) -> int:
    """How many of the combinations have no finished model."""
    return (1 << len(tricks)) - sum(chosen <= set(tricks) for chosen in by_tricks)


def trick_effects(
    resampler: Resampler, tricks: Sequence[str], by_tricks: Mapping[Subset, CellResult]
) -> list[TrickEffect]:
    """The worth of each trick; the averages add up to the effect of all tricks together.

    Source: Shapley 1953: the mean over all orders of what a trick changes when it is added.
    """
    found = []
    for trick in tricks:
        others = [other for other in tricks if other != trick]
        terms: list[tuple[float, CellResult]] = []
        for before in _subsets(others):
            weight = 1 / len(tricks) * _share(len(before), len(others))
            terms += [(weight, by_tricks[before | {trick}]), (-weight, by_tricks[before])]
        average = resampler.effect(terms)
        alone = resampler.change(by_tricks[Subset()], by_tricks[Subset({trick})])
        last = resampler.change(by_tricks[Subset(others)], by_tricks[Subset(tricks)])
        if average and alone and last:
            found.append(TrickEffect(trick=trick, average=average, alone=alone, last=last))
    return found


def interactions(
    resampler: Resampler, tricks: Sequence[str], by_tricks: Mapping[Subset, CellResult]
) -> list[Interaction]:
    """Pairs whose effects do not add up, averaged over the settings of the other tricks.

    All pairs are looked at, so each interval has Bonferroni's level; only those that exclude 0
    are returned, the strongest first.
    """
    pairs = list(combinations(tricks, 2))
    level = 1 - (1 - LEVEL) / max(len(pairs), 1)
    found = []
    for one, two in pairs:
        settings = list(_subsets([other for other in tricks if other not in (one, two)]))
        terms = [
            (sign / len(settings), by_tricks[others | added])
            for others in settings
            for sign, added in ((1, {one, two}), (-1, {one}), (-1, {two}), (1, set()))
        ]
        effect = resampler.effect(terms, level)
        if effect and effect.se_seed is not None and (effect.high < 0 or effect.low > 0):
            found.append(Interaction(tricks=(one, two), effect=effect))
    return sorted(found, key=_strength)


def _strength(pair: Interaction) -> float:
    """The factor by which the two differ, the other way round where it exceeds 1."""
    factor = 1 + pair.effect.value
    return min(factor, 1 / factor) if factor else 0.0


def _subsets(tricks: Sequence[str]) -> list[Subset]:
    return [
        Subset(chosen) for count in range(len(tricks) + 1) for chosen in combinations(tricks, count)
    ]


def _share(before: int, others: int) -> float:
    """The part of all orders of the others in which exactly these `before` come first."""
    return factorial(before) * factorial(others - before) / factorial(others)
