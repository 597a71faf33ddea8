"""What one Tune trial trains: batches of models sized so that no core idles and none waits long."""

import math
import pickle
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from scaling.study import Job

MOST_S = 30.0  # assumed: what a killed worker may lose, and long against Ray's 40 ms a trial

DISPATCH_S = 0.017  # measured: what a trial takes of the driver's one core
FEW_SLOTS = 16  # assumed: the driver starts as many before anybody notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Cores and GPUs to train on: room for one trial to a core, for one or more to a GPU."""

    cpu: int = 0
    gpu: int = 0

    def __str__(self) -> str:
        both = (("CPU", self.cpu), ("GPU", self.gpu))
        return " and ".join(f"{n:,} {kind}{'s' if n > 1 else ''}" for kind, n in both if n)

    def times(self, factor: int) -> "Slots":
        return Slots(cpu=self.cpu * factor, gpu=self.gpu * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some models of some cells, what trains them, and its predicted seconds.

    `share` is the part of that device which the batch needs.
    """

    jobs: tuple[Job, ...]
    seconds: float
    device: str = "cpu"
    share: float = 1.0

    @property
    def n_models(self) -> int:
        return sum(len(job.members) for job in self.jobs)


def work(batches: Sequence[Batch], device: str) -> float:
    """Predicted seconds of a core, or of a whole GPU."""
    return sum(batch.seconds * batch.share for batch in batches if batch.device == device)


class Packed(Sequence[Batch]):
    """Batches of which a trial unpacks its own only.

    Every trial gets them all: to unpack 20,000 models took each 0.8 s of a core (measured).
    """

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._packed = [pickle.dumps(batch) for batch in batches]

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: Any) -> Any:
        return pickle.loads(self._packed[index])


def remaining(jobs: Sequence[Job], done: Collection[str]) -> tuple[Job, ...]:
    """The jobs without the members whose run_id is in `done`."""
    left = (
        replace(job, members=tuple(m for m in job.members if job.cell.run_id(m) not in done))
        for job in jobs
    )
    return tuple(job for job in left if job.members)


def make_batches(
    jobs: Sequence[Job],
    cost: Callable[[Job], float],
    slots: int,
    together: Callable[[Job], int] = lambda _: 1,
) -> tuple[Batch, ...]:
    """Batches of at most 30 s, or of what keeps `slots` busy to the end; the longest first.

    Where slots are many, the driver that starts all batches is what is waited for: with batches of
    b seconds total / b times its time and the last batch, b, least at b = sqrt(total x its time).

    As many members of a job as `together` says stay in one batch, however long that takes, unless
    slots would be idle.
    """
    total = sum(cost(job) for job in jobs)
    smallest = math.sqrt(total * DISPATCH_S) if slots > FEW_SLOTS else 0.0
    most = min(MOST_S, max(total / (4 * slots), smallest))
    batches: list[Batch] = []
    open_batch = Batch(jobs=(), seconds=0.0)
    for piece in _pieces(jobs, cost, most, slots, together):
        seconds = cost(piece)
        if open_batch.jobs and open_batch.seconds + seconds > most:
            batches.append(open_batch)
            open_batch = Batch(jobs=(), seconds=0.0)
        open_batch = Batch(jobs=(*open_batch.jobs, piece), seconds=open_batch.seconds + seconds)
    if open_batch.jobs:
        batches.append(open_batch)
    return tuple(sorted(batches, key=lambda batch: -batch.seconds))


def divide(
    jobs: Sequence[Job],
    cpu_cost: Callable[[Job], float],
    gpu_cost: Callable[[Job], float],
    cpus: int,
    gpus: int,
) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """The jobs for cores and those for GPUs, so that both end together, as predicted.

    What gains most on a GPU goes there; the cell in between is divided by its members.
    """
    if not gpus or not cpus:
        return ((), tuple(jobs)) if gpus else (tuple(jobs), ())
    cheapest_on_gpu = sorted(jobs, key=lambda job: gpu_cost(job) / max(cpu_cost(job), 1e-9))
    on_cpus = sum(map(cpu_cost, jobs)) / cpus
    on_gpus = 0.0
    cpu_jobs, gpu_jobs = list[Job](), list[Job]()
    for job in cheapest_on_gpu:
        n = len(job.members)
        cpu_each, gpu_each = cpu_cost(job) / n / cpus, gpu_cost(job) / n / gpus
        # Each member that moves takes one from the left and adds the other to the right.
        moving = max(0, min(n, round((on_cpus - on_gpus) / (cpu_each + gpu_each))))
        on_cpus, on_gpus = on_cpus - moving * cpu_each, on_gpus + moving * gpu_each
        cpu_jobs += [replace(job, members=job.members[moving:])] if moving < n else []
        gpu_jobs += [replace(job, members=job.members[:moving])] if moving else []
    return tuple(cpu_jobs), tuple(gpu_jobs)


def _pieces(
    jobs: Sequence[Job],
    cost: Callable[[Job], float],
    most: float,
    slots: int,
    together: Callable[[Job], int],
) -> list[Job]:
    """Jobs cut into groups of members, even ones, that cost at most `most`; the cheapest first."""
    share = -(-sum(len(job.members) for job in jobs) // slots)
    pieces = []
    for job in jobs:
        n = len(job.members)
        each = cost(job) / n
        largest = max(1, int(most / each)) if each > 0 else n
        smallest = min(together(job), share, n)
        count = max(1, min(-(-n // largest), n // smallest))
        ends = [n * i // count for i in range(count + 1)]
        pieces += [replace(job, members=job.members[a:b]) for a, b in pairwise(ends)]
    return sorted(pieces, key=cost)
