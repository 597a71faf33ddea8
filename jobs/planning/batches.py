"""Cut jobs into batches: no core idles, and no batch takes long."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from jobs.planning.cost import PlannedJob
from scaling.study import Job

MOST_S = 30.0  # assumed: what a killed worker may lose, and long against Ray's 10 ms a batch
DISPATCH_S = 0.0013  # measured: the driver's one core is busy so long with each batch
LOOK_S = 1e-6  # measured: and, with each batch, for each worker that trains, as Tune waits for all
WORKER_S = 0.015  # derived: the driver's core for a trial of Tune, without its snapshots
MOST_SLOTS = 2000  # assumed: beyond, the driver would do nothing but start workers for a minute
FEW_SLOTS = 16  # assumed: the driver starts as many at once, as far as a user can tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Cores and GPUs to train on: room for one batch to a core, for one or more to a GPU."""

    cpu: int = 0
    gpu: int = 0

    def __str__(self) -> str:
        both = (("CPU", self.cpu), ("GPU", self.gpu))
        return " and ".join(f"{n:,} {kind}{'s' if n > 1 else ''}" for kind, n in both if n)

    def times(self, factor: int) -> "Slots":
        return Slots(cpu=self.cpu * factor, gpu=self.gpu * factor)

    def most(self) -> "Slots":
        """Return the slots that one sweep uses."""
        return Slots(cpu=min(self.cpu, MOST_SLOTS), gpu=min(self.gpu, MOST_SLOTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The planned jobs of one go of a worker, on one device; they need the part `share` of it."""

    jobs: tuple[PlannedJob, ...]
    share: float = 1.0

    @property
    def device(self) -> str:
        return self.jobs[0].device

    @property
    def seconds(self) -> float:
        return sum(planned.seconds for planned in self.jobs)

    @property
    def n_models(self) -> int:
        return sum(len(planned.job.members) for planned in self.jobs)


def work(batches: Sequence[Batch], device: str) -> float:
    """Return the predicted seconds of a core, or of a whole GPU."""
    return sum(batch.seconds * batch.share for batch in batches if batch.device == device)


def dispatch_s(workers: int) -> float:
    """Return the seconds of the driver's core for a batch, while so many workers train."""
    return DISPATCH_S + LOOK_S * workers


def unfinished_jobs(jobs: Sequence[Job], done: Collection[str]) -> tuple[Job, ...]:
    """Return the jobs without the members whose run_id is in `done`."""
    left = list[Job]()
    for job in jobs:
        members = tuple(m for m in job.members if job.cell.run_id(m) not in done)
        if len(members) == len(job.members):
            left.append(job)
        elif members:
            left.append(replace(job, members=members))
    return tuple(left)


def make_batches(
    jobs: Sequence[Job],
    plan: Callable[[Job], PlannedJob],
    slots: int,
    group_size: Callable[[Job], int] = lambda _: 1,
) -> tuple[Batch, ...]:
    """Return batches of at most 30 s, or shorter ones that keep `slots` busy to the end.

    The longest come first. Where slots are many, all wait for the driver that starts the batches:
    with batches of b seconds total / b times its time and the last batch, b, least at
    b = sqrt(total x its time).

    As many members of a job as `group_size` says stay in one batch, however long that takes, unless
    slots would be idle.
    """
    planned = [plan(job) for job in jobs]
    total = sum(each.seconds for each in planned)
    smallest = 0.0
    if slots > FEW_SLOTS:
        smallest = math.sqrt(total * (dispatch_s(slots) + WORKER_S))
        if total > smallest * slots:  # all workers are started anyway
            smallest = math.sqrt(total * dispatch_s(slots))
    most = min(MOST_S, max(total / (4 * slots), smallest))
    batches: list[Batch] = []
    pieces, seconds = list[PlannedJob](), 0.0
    for piece in _pieces(planned, plan, most, slots, group_size):
        if pieces and seconds + piece.seconds > most:
            batches.append(Batch(jobs=tuple(pieces)))
            pieces, seconds = [], 0.0
        pieces.append(piece)
        seconds += piece.seconds
    if pieces:
        batches.append(Batch(jobs=tuple(pieces)))
    return tuple(sorted(batches, key=lambda batch: -batch.seconds))


def divide(
    jobs: Sequence[Job], cost: Callable[[Job, str], float], slots: Slots
) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """Return the jobs for cores and those for GPUs, so that both end together, as predicted.

    The jobs that gain most on a GPU go there; the cell in between is divided by its members.
    """
    if not slots.gpu or not slots.cpu:
        return ((), tuple(jobs)) if slots.gpu else (tuple(jobs), ())
    seconds = [(job, cost(job, "cpu"), cost(job, "cuda")) for job in jobs]
    cheapest_on_gpu = sorted(seconds, key=lambda each: each[2] / max(each[1], 1e-9))
    on_cpus = sum(cpu for _, cpu, _ in seconds) / slots.cpu
    on_gpus = 0.0
    cpu_jobs, gpu_jobs = list[Job](), list[Job]()
    for job, cpu, gpu in cheapest_on_gpu:
        n = len(job.members)
        cpu_each, gpu_each = cpu / n / slots.cpu, gpu / n / slots.gpu
        # Each member that moves takes one from the left and adds the other to the right.
        moving = max(0, min(n, round((on_cpus - on_gpus) / (cpu_each + gpu_each))))
        on_cpus, on_gpus = on_cpus - moving * cpu_each, on_gpus + moving * gpu_each
        cpu_jobs += [replace(job, members=job.members[moving:])] if moving < n else []
        gpu_jobs += [replace(job, members=job.members[:moving])] if moving else []
    return tuple(cpu_jobs), tuple(gpu_jobs)


def _pieces(
    whole: Sequence[PlannedJob],
    plan: Callable[[Job], PlannedJob],
    most: float,
    slots: int,
    group_size: Callable[[Job], int],
) -> list[PlannedJob]:
    """Return jobs cut into even groups of members that cost at most `most`; the cheapest first."""
    share = -(-sum(len(planned.job.members) for planned in whole) // slots)
    pieces = []
    for planned in whole:
        job, n = planned.job, len(planned.job.members)
        each = planned.seconds / n
        largest = max(1, int(most / each)) if each > 0 else n
        smallest = min(group_size(job), share, n)
        count = max(1, min(-(-n // largest), n // smallest))
        if count == 1:
            pieces.append(planned)
            continue
        ends = [n * i // count for i in range(count + 1)]
        pieces += [plan(replace(job, members=job.members[a:b])) for a, b in pairwise(ends)]
    return sorted(pieces, key=lambda piece: piece.seconds)
