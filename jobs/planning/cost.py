"""The engine, the device and the predicted cost of a job: decided once, then carried to its worker.

Engines depend on how many members train together, so a job is planned after it was cut into the
groups that are trained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scaling import engines
from scaling.study import Job, predicted_seconds

Cost = Callable[[Job, str, str], float]  # seconds of a job by an engine on a device


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job with the engine and the device that train it.

    `fixed`: the engine was asked for, so no other may take its place on a node that lacks it.
    Units: `seconds` of one core or one GPU for all members.
    """

    job: Job
    engine: str
    device: str
    seconds: float
    fixed: bool = False


def predict_seconds(job: Job, engine: str, device: str) -> float:
    """Return the predicted seconds of a job's members, trained together by this engine."""
    return predicted_seconds(job, partial(engines.us_per_example, engine=engine, device=device))


def plan_job(
    job: Job, device: str, engine: str | None = None, cost: Cost = predict_seconds
) -> PlannedJob:
    """Return the job with the engine that trains its members together on this device.

    That is the fastest one, or `engine`. Raises InputError if that one cannot train them.
    """
    chosen = engines.choose(job.cell, engine, device, len(job.members))
    return PlannedJob(
        job=job,
        engine=chosen,
        device=device,
        seconds=cost(job, chosen, device),
        fixed=engine is not None,
    )


def devices_of(device: str) -> tuple[str, ...]:
    """Return the devices that the option --device names; the first is that of a study's plan."""
    return ("cpu", "cuda") if device == "auto" else (device,)
