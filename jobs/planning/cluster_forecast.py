"""Forecast the time, the hours and the price of a study on a cluster that is not here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.planning.batches import Batch, Slots, dispatch_s, work
from jobs.planning.cost import devices_of, plan_job
from jobs.planning.placement import OVERHEAD, expected, place
from jobs.planning.simulate import Schedule
from scaling import engines
from scaling.errors import InputError
from scaling.study import Job

ALIKE = 1.02  # makespans so near do not decide between kinds; assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of an hour of one core and of one GPU, in any currency."""

    cpu: float = 0.0
    gpu: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A study on a cluster. Units: seconds; `device` is the option --device of the sweep."""

    cluster: Slots
    device: str
    batches: tuple[Batch, ...]
    schedule: Schedule
    longest_model: float
    limit: str

    def work(self, device: str) -> float | None:
        """Return the seconds of a core, or of a whole GPU; None where that trains nothing."""
        used = any(batch.device == device for batch in self.batches)
        return work(self.batches, device) if used else None

    def cost(self, price: Price) -> float:
        """Return the price of the whole cluster from start to end."""
        an_hour = self.cluster.cpu * price.cpu + self.cluster.gpu * price.gpu
        return an_hour * self.schedule.makespan / 3600


def parse_cluster(text: str) -> Slots:
    """Return the slots in text such as `64 cpu, 8 gpu`. Raises InputError for anything else."""
    found = _amounts(text, "--cluster", r"0*[1-9][\d_]*", "64 cpu, 8 gpu")
    return Slots(**{kind: int(number) for kind, number in found.items()})


def parse_price(text: str) -> Price:
    """Return the price in text such as `0.04 cpu, 1.2 gpu`. Raises InputError for other text."""
    found = _amounts(text, "--price", r"\d*\.?\d+", "0.04 cpu, 1.2 gpu")
    return Price(**{kind: float(number) for kind, number in found.items()})


def forecast(jobs: Sequence[Job], cluster: Slots, engine: str | None, device: str) -> Forecast:
    """Return the quickest of cores alone, both and GPUs alone, in the batches of a sweep.

    With `device` cuda only GPUs train. Raises InputError where nothing on the cluster can.
    """
    choices = {
        "cpu": Slots(cpu=cluster.cpu),
        "auto": cluster if cluster.cpu and cluster.gpu else Slots(),
        "cuda": Slots(gpu=cluster.gpu),
    }
    able = [d for d in ("cpu", "cuda") if all(_able(job, d, engine) for job in jobs)]
    found = [
        _on(jobs, cluster, name, slots.most(), engine)
        for name, slots in choices.items()
        if device in (name, "cpu", "auto")
        and (slots.cpu or slots.gpu)
        and ("cpu" in able or not slots.cpu)
        and ("cuda" in able or not slots.gpu)
    ]
    if not found:
        asked = f" with engine {engine}" if engine else ""
        raise InputError(
            f"--cluster: nothing on {cluster} trains this study{asked} on device {device};"
            " name other nodes, or another --engine or --device"
        )
    best = min(each.schedule.makespan for each in found)
    return next(each for each in found if each.schedule.makespan <= ALIKE * best)


def _on(
    jobs: Sequence[Job], cluster: Slots, device: str, used: Slots, engine: str | None
) -> Forecast:
    batches = place(jobs, used, engine)
    schedule = expected(batches, used)
    workers = min(used.cpu + used.gpu, len(batches))
    ones = [replace(job, members=job.members[:1]) for job in jobs]
    bounds = {
        "work": max(
            work(batches, name) / own
            for name, own in (("cpu", used.cpu), ("cuda", used.gpu))
            if own
        ),
        "longest batch": max((batch.seconds for batch in batches), default=0.0),
        "driver": len(batches) * dispatch_s(workers) + workers * OVERHEAD.worker,
        "start": OVERHEAD.start,
    }
    return Forecast(
        cluster=cluster,
        device=device,
        batches=batches,
        schedule=schedule,
        longest_model=max(
            (
                min(plan_job(one, each, engine).seconds for each in devices_of(device))
                for one in ones
            ),
            default=0.0,
        ),
        limit=max(bounds, key=lambda name: bounds[name]),
    )


def _able(job: Job, device: str, engine: str | None) -> bool:
    return engine is None or engines.unsupported_reason(engine, job.cell, device) is None


def _amounts(text: str, flag: str, number: str, example: str) -> dict[str, str]:
    """Return the numbers in `text` by kind, each kind once at most."""
    found: dict[str, str] = {}
    for part in text.split(","):
        match = re.fullmatch(rf"\s*({number})\s*(cpu|gpu)s?\s*", part)
        if match is None or match[2] in found:
            raise InputError(
                f"{flag} '{text}': expected a number of cpu, of gpu or of both, as in '{example}'"
            )
        found[match[2]] = match[1]
    return found
