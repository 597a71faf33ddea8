"""Timing on a shared machine: in rounds, interleaved, by CPU time.

Every contender runs once in each round, so that a slower machine slows all alike; ratios are taken
within a round. CPU time excludes other processes, but not their effects on temperature and caches.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time
from typing import NamedTuple

MIN_EXAMPLES, MAX_EXAMPLES = 16, 8192  # of one run; no run repeats an image


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A function to time, and the number of examples that one run of it processes."""

    name: str
    run: Callable[[], object]
    examples: float
    clock: Callable[[], float] | None = None  # None: CPU time; a GPU needs another clock


class Spread(NamedTuple):
    """The median and the range over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


def run_interleaved(
    contenders: Sequence[Contender], rounds: int, after_round: Callable[[], None]
) -> dict[str, list[float]]:
    """Return each contender's microseconds of CPU time per example, by round.

    Each round begins with another contender, so that their order varies.
    """
    us: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            us[contender.name].append(_seconds(contender) * 1e6 / contender.examples)
        after_round()
    return us


def ratio(us: Sequence[float], by: Sequence[float]) -> float:
    """Return the median of the rounds' ratios, which is not the ratio of the medians."""
    return statistics.median(a / b for a, b in zip(us, by, strict=True))


def size_contender(
    name: str,
    make: Callable[[int], Callable[[], object]],
    seconds: float,
    models: int = 1,
    clock: Callable[[], float] | None = None,
    fewest: int = MIN_EXAMPLES,
) -> Contender:
    """Return a warmed-up contender whose run takes about this many seconds.

    `make` returns the function for a number of examples, each for `models` models at once.
    """
    probe = Contender(name=name, run=make(fewest), examples=fewest, clock=clock)
    probe.run()  # first calls load libraries
    per_example = _seconds(probe) / fewest
    examples = max(fewest, min(MAX_EXAMPLES, int(seconds / per_example)))
    run = make(examples)
    run()
    return Contender(name=name, run=run, examples=examples * models, clock=clock)


def _seconds(contender: Contender) -> float:
    clock = contender.clock or process_time
    started = clock()
    contender.run()
    return clock() - started
