"""Batches and costs of so many seconds, for tests of what is planned."""

from collections.abc import Callable
from typing import Any

from jobs.planning.batches import Batch
from jobs.planning.cost import Cost, PlannedJob, plan_job
from scaling.cell import as_plain
from scaling.data import datasets
from scaling.recipes.registry import find_recipe
from scaling.study import Job, make_cell

CELL = make_cell(datasets.describe("mnist"), find_recipe("1989"), n_train=1000)


def batch(seconds: float, device: str = "cpu", share: float = 1.0) -> Batch:
    """Return a batch of so many seconds without a model in it."""
    job = Job(cell=CELL, members=(), source="mnist")
    planned = PlannedJob(job=job, engine="population", device=device, seconds=seconds)
    return Batch(jobs=(planned,), share=share)


def planned_cell(cell_id: str, *runs: str, **own: Any) -> dict[str, Any]:
    """Return an entry of a plan with these ids."""
    members = [
        {"run_id": run, "seed": seed, "lr": 0.1, "weight_decay": 0.0}
        for seed, run in enumerate(runs)
    ]
    return {**as_plain(CELL), "cell_id": cell_id, "source": "mnist", "members": members, **own}


def each_member(cpu: float, gpu: float = 1.0) -> Cost:
    """Return a cost that is so many seconds for every member of a job."""

    def cost(job: Job, engine: str, device: str) -> float:  # noqa: ARG001  called alike
        return (gpu if device == "cuda" else cpu) * len(job.members)

    return cost


def on_cpu(cost: Cost | None = None) -> Callable[[Job], PlannedJob]:
    """Return what plans jobs for the CPU, at this cost or at the predicted one."""
    return lambda job: plan_job(job, "cpu", **({"cost": cost} if cost else {}))
