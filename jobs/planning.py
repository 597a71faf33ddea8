"""What a study would take on a cluster that is not here, in time, hours and money."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from jobs.batches import DISPATCH_S, make_batches
from jobs.schedule import Overhead, Schedule, assign, simulate
from scaling import engines
from scaling.errors import InputError
from scaling.study import Job, Member, predicted_seconds

Cost = Callable[[Job], float]
DEVICE = {"cpu": "cpu", "gpu": "cuda"}  # of each kind of slot
ALIKE = 1.02  # makespans so near do not decide between kinds; assumed
GROUP = 16  # members that go to one kind of slot together; assumed
# Measured on two busy cores (analysis/LOG.md): 7 s until the first of 200 trials trains, Ray being
# up; 36 ms from trial to trial on two slots, of which 15 to 17 are the driver's.
OVERHEAD = Overhead(start=7.0, trial=0.04, dispatch=DISPATCH_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Slots of each kind. A trial on a GPU takes a core as well."""

    cpu: int
    gpu: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{n:,} {kind}" for kind, n in (("cpu", self.cpu), ("gpu", self.gpu)) if n)

    def times(self, factor: int) -> "Cluster":
        return Cluster(cpu=self.cpu * factor, gpu=self.gpu * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Of an hour of one core and of one GPU, in any currency."""

    cpu: float = 0.0
    gpu: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A study on a cluster. Units: seconds; `work` by kind of slot."""

    cluster: Cluster
    schedule: Schedule
    jobs: Mapping[str, tuple[Job, ...]]
    longest_model: float
    limit: str

    def rented(self, kind: str) -> float:
        return self.schedule.makespan * (self.cluster.gpu if kind == "gpu" else self.cluster.cpu)

    def cost(self, price: Price) -> float:
        """Of the whole cluster from start to end."""
        return (self.rented("cpu") * price.cpu + self.rented("gpu") * price.gpu) / 3600


def parse_cluster(text: str) -> Cluster:
    """`64 cpu, 8 gpu`. Raises InputError for anything else."""
    found = _amounts(text, "--cluster", r"\d[\d_]*", "64 cpu, 8 gpu")
    cluster = Cluster(cpu=int(found.get("cpu", 0)), gpu=int(found.get("gpu", 0)))
    if cluster.cpu < max(1, cluster.gpu):
        raise InputError(
            f"--cluster '{text}': expected at least a core, and one for each GPU, which a trial on"
            f" it takes as well: '{max(1, cluster.gpu)} cpu, ...'"
        )
    return cluster


def parse_price(text: str) -> Price:
    """`0.04 cpu, 1.2 gpu`: of a core hour and of a GPU hour. Raises InputError for other text."""
    found = _amounts(text, "--price", r"\d*\.?\d+", "0.04 cpu, 1.2 gpu")
    return Price(**{kind: float(number) for kind, number in found.items()})


def forecast(jobs: Sequence[Job], cluster: Cluster, engine: str | None, device: str) -> Forecast:
    """The quickest of cores alone, both and GPUs alone, in the batches that a sweep would make.

    With `device` cuda only GPUs train. Raises InputError where nothing on the cluster can.
    """
    choices = [
        {"cpu": cluster.cpu},
        {"cpu": cluster.cpu - cluster.gpu, "gpu": cluster.gpu},
        {"gpu": cluster.gpu},
    ]
    if device == "cuda":
        choices = choices[2:]
    found = [
        _on(jobs, cluster, slots, {kind: _cost_on(kind, engine) for kind in slots}, engine)
        for slots in choices
        if all(slots.values()) and all(_able(job, kind, engine) for job in jobs for kind in slots)
    ]
    if not found:
        asked = f" with engine {engine}" if engine else ""
        raise InputError(
            f"--cluster '{cluster}': nothing on it trains this study{asked} on device {device};"
            " name other nodes, or another --engine or --device"
        )
    best = min(each.schedule.makespan for each in found)
    return next(each for each in found if each.schedule.makespan <= ALIKE * best)


def share(
    jobs: Sequence[Job], cost: Mapping[str, Cost], slots: Mapping[str, int]
) -> dict[str, tuple[Job, ...]]:
    """Each kind's jobs: groups of members go to where they would be done first."""
    groups = [
        (n, replace(job, members=job.members[i : i + GROUP]))
        for n, job in enumerate(jobs)
        for i in range(0, len(job.members), GROUP)
    ]
    each = [{kind: cost[kind](job) / len(job.members) for kind in slots} for job in jobs]
    costs = [{kind: each[n][kind] * len(g.members) for kind in slots} for n, g in groups]
    members: dict[str, dict[int, tuple[Member, ...]]] = {kind: {} for kind in slots}
    for kind, (n, group) in zip(assign(costs, slots), groups, strict=True):
        members[kind][n] = (*members[kind].get(n, ()), *group.members)
    return {
        kind: tuple(replace(jobs[n], members=some) for n, some in found.items())
        for kind, found in members.items()
    }


def _on(
    jobs: Sequence[Job],
    cluster: Cluster,
    slots: Mapping[str, int],
    cost: Mapping[str, Cost],
    engine: str | None,
) -> Forecast:
    shared = share(jobs, cost, slots)
    seconds = {
        kind: [
            batch.seconds
            for batch in make_batches(
                some, cost[kind], slots[kind], partial(_together, engine=engine, kind=kind)
            )
        ]
        for kind, some in shared.items()
        if some
    }
    schedule = simulate(seconds, slots, OVERHEAD)
    ones = [replace(job, members=job.members[:1]) for job in jobs]
    bounds = {
        "work": max((sum(s) / slots[kind] for kind, s in seconds.items()), default=0.0),
        "longest batch": max((max(s) for s in seconds.values()), default=0.0),
        "driver": schedule.trials * OVERHEAD.dispatch,
        "start": OVERHEAD.start,
    }
    return Forecast(
        cluster=cluster,
        schedule=schedule,
        jobs=shared,
        longest_model=max((min(cost[kind](one) for kind in slots) for one in ones), default=0.0),
        limit=max(bounds, key=lambda name: bounds[name]),
    )


def _cost_on(kind: str, engine: str | None) -> Cost:
    us = partial(engines.us_per_example, engine=engine, device=DEVICE[kind])
    return partial(predicted_seconds, us_per_example=us)


def _together(job: Job, engine: str | None, kind: str) -> int:
    return engines.together(job.cell, engine, DEVICE[kind])


def _able(job: Job, kind: str, engine: str | None) -> bool:
    return engine is None or engines.why_not(engine, job.cell, DEVICE[kind]) is None


def _amounts(text: str, flag: str, number: str, example: str) -> dict[str, str]:
    """Numbers by kind, each kind once at most."""
    found: dict[str, str] = {}
    for part in text.split(","):
        match = re.fullmatch(rf"\s*({number})\s*(cpu|gpu)s?\s*", part)
        if match is None or match[2] in found:
            raise InputError(
                f"{flag} '{text}': expected a number of cpu, of gpu or of both, as in '{example}'"
            )
        found[match[2]] = match[1]
    return found
