"""When a study would be done on slots of several kinds: list scheduling, longest first.

No Ray and no clock: predicted seconds in, a schedule out.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What is not training. Units: seconds.

    start: until the first trial trains; trial: a slot idles between two trials; dispatch: the
    driver, which does one thing at a time, is busy with each trial.
    """

    start: float = 0.0
    trial: float = 0.0
    dispatch: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When everything is done, and how long each kind of slot worked. Units: seconds."""

    makespan: float
    work: Mapping[str, float]
    tasks: Mapping[str, int]

    @property
    def trials(self) -> int:
        return sum(self.tasks.values())


def simulate(
    tasks: Mapping[str, Sequence[float]], slots: Mapping[str, int], overhead: Overhead
) -> Schedule:
    """Each kind's tasks on that kind's slots, whichever slot is free first taking the longest left.

    The driver starts tasks of all kinds, one after another.
    """
    makespan, driver = 0.0, overhead.start
    left = {kind: sorted(seconds) for kind, seconds in tasks.items() if seconds}
    free = [(overhead.start, kind) for kind in sorted(left) for _ in range(slots[kind])]
    heapq.heapify(free)
    while free:
        at, kind = heapq.heappop(free)
        if not left[kind]:
            continue
        driver = max(driver, at) + overhead.dispatch
        end = driver + left[kind].pop()
        makespan = max(makespan, end)
        heapq.heappush(free, (end + overhead.trial, kind))
    return Schedule(
        makespan=makespan,
        work={kind: sum(seconds) for kind, seconds in tasks.items()},
        tasks={kind: len(seconds) for kind, seconds in tasks.items()},
    )


def assign(costs: Sequence[Mapping[str, float]], slots: Mapping[str, int]) -> list[str]:
    """The kind of slot on which each task would finish first, the longest tasks choosing first.

    `costs` are seconds by kind, of the kinds that can do it.
    """
    queued = dict.fromkeys(slots, 0.0)
    chosen = [""] * len(costs)

    def finish(task: int, kind: str) -> float:
        return queued[kind] / slots[kind] + costs[task][kind]

    for task in sorted(range(len(costs)), key=lambda i: -min(costs[i].values())):
        able = [kind for kind in slots if kind in costs[task]]
        chosen[task] = min(able, key=lambda kind: finish(task, kind))
        queued[chosen[task]] += costs[task][chosen[task]]
    return chosen
