"""Measure what a batch costs the driver: seconds of its core, and memory that stays."""

import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from jobs.execution import capacity
from jobs.execution.ray_trials import resource_request, run_trials
from jobs.execution.silence import Limits
from jobs.execution.trial_source import FINISHED, TrialSource
from scaling.store.store import Store

WARM = 300  # batches before memory is read: buffers grow to their size


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverCost:
    """The cost of a batch that does nothing. Units: milliseconds, kilobytes.

    cpu_ms: of the driver's process, its start on Ray included; wall_ms: of all slots together.
    """

    batches: int
    cpu_ms: float
    wall_ms: float
    kb: float


class Numbers(TrialSource):
    """Gives the numbers up to `count`, and reads the memory after the first of them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count, self._given = count, 0
        self.warm_kb = 0.0

    def new(self) -> Any:
        if self._given == self._count:
            return FINISHED
        if self._given == WARM:
            self.warm_kb = resident_kb()
        self._given += 1
        return {"number": self._given - 1}


def measure(batches: int) -> DriverCost:
    """Give so many empty batches to the slots of the Ray of this process."""
    source, slots = Numbers(batches), capacity.cluster_slots("cpu").cpu
    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        run_trials(
            nothing,
            source,
            max_concurrent=slots,
            resources=lambda _: resource_request("cpu"),
            predicted=lambda _: 0.0,
            store=Store(folder),
            say=print,
            limits=Limits(),
            store_lost=lambda lost: None,  # noqa: ARG005
        )
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return DriverCost(
        batches=batches,
        cpu_ms=1000 * cpu / batches,
        wall_ms=1000 * wall / batches,
        kb=(resident_kb() - source.warm_kb) / max(batches - WARM, 1),
    )


def nothing(config: dict[str, Any], out: str, settings: dict[str, str]) -> dict[str, Any]:  # noqa: ARG001  as all
    """Train nothing, and report as a batch does."""
    return {"seconds": 0.0, "finished": str(config["number"]), "failed": False, "text": ""}


def resident_kb() -> float:
    """Return the memory of this process; 0 where the system has no /proc."""
    try:
        with open("/proc/self/statm", encoding="utf-8") as file:  # noqa: PTH123  not to be cached
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1000
    except OSError:
        return 0.0
