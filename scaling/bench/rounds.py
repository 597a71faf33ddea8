"""Timing on a machine that others use too: in rounds, side by side, by the processor's own clock.

Every contender runs once in each round, so that what slows the machine slows them alike; a ratio
is taken within a round. CPU time leaves out what other processes took, though not the heat and the
caches that they share.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time
from typing import NamedTuple

FEWEST, MOST = 16, 8192  # examples of one run; no run repeats a digit


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Something that can be run, and how many examples' worth of work one run is."""

    name: str
    run: Callable[[], object]
    examples: float
    clock: Callable[[], float] | None = None  # CPU time, unless the work is elsewhere


class Spread(NamedTuple):
    """What the rounds gave: the middle, and the ends."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


def interleaved(
    contenders: Sequence[Contender], rounds: int, after_round: Callable[[], None]
) -> dict[str, list[float]]:
    """Microseconds of CPU time an example of each contender, by round.

    Each round begins with another one, so that none always follows the same.
    """
    us: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            us[contender.name].append(_seconds(contender) * 1e6 / contender.examples)
        after_round()
    return us


def ratio(us: Sequence[float], by: Sequence[float]) -> float:
    """The median of the rounds' own ratios: often near that of the medians, but not equal to it."""
    return statistics.median(a / b for a, b in zip(us, by, strict=True))


def sized(
    name: str,
    make: Callable[[int], Callable[[], object]],
    seconds: float,
    models: int = 1,
    clock: Callable[[], float] | None = None,
    fewest: int = FEWEST,
) -> Contender:
    """A contender, warmed up, whose run takes about this many seconds.

    `make` gives what runs over a number of examples, for so many models at once.
    """
    probe = Contender(name=name, run=make(fewest), examples=fewest, clock=clock)
    probe.run()  # first calls load libraries
    each = _seconds(probe) / fewest
    examples = max(fewest, min(MOST, int(seconds / each)))
    run = make(examples)
    run()
    return Contender(name=name, run=run, examples=examples * models, clock=clock)


def _seconds(contender: Contender) -> float:
    clock = contender.clock or process_time
    started = clock()
    contender.run()
    return clock() - started
