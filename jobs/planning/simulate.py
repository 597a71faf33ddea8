"""Simulate a study on slots of several kinds: list scheduling, longest first.

No Ray and no clock: predicted seconds in, a schedule out.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """The time that is no training. Units: seconds.

    start: until the first batch trains; trial: a slot idles between two batches; dispatch, worker:
    the driver, which does one thing at a time, is busy with each batch, and with the start of each
    slot's worker; look: with each batch, for each worker that was started.
    """

    start: float = 0.0
    trial: float = 0.0
    dispatch: float = 0.0
    worker: float = 0.0
    look: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The seconds until all tasks are done, and their number."""

    makespan: float
    trials: int


def simulate(
    tasks: Mapping[str, Sequence[float]], slots: Mapping[str, int], overhead: Overhead
) -> Schedule:
    """Return the schedule of tasks on slots of their kind; a free slot takes the longest left.

    The driver starts tasks of all kinds, one after another.
    """
    makespan, driver, workers = 0.0, overhead.start, 0
    left = {kind: sorted(seconds) for kind, seconds in tasks.items() if seconds}
    free = [(overhead.start, kind, True) for kind in sorted(left) for _ in range(slots[kind])]
    heapq.heapify(free)
    while free:
        at, kind, new = heapq.heappop(free)
        if not left[kind]:
            continue
        workers += new
        driver = max(driver, at) + overhead.dispatch + workers * overhead.look
        driver += new * overhead.worker
        end = driver + left[kind].pop()
        makespan = max(makespan, end)
        heapq.heappush(free, (end + overhead.trial, kind, False))
    return Schedule(makespan=makespan, trials=sum(map(len, tasks.values())))
