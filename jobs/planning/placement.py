"""Place models on cores and GPUs in batches, and predict how long that takes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from jobs.planning.batches import (
    DISPATCH_S,
    LOOK_S,
    WORKER_S,
    Batch,
    Slots,
    divide,
    make_batches,
    work,
)
from jobs.planning.cost import Cost, PlannedJob, plan_job, predict_seconds
from jobs.planning.simulate import Overhead, Schedule, simulate
from scaling import engines
from scaling.progress import duration
from scaling.study import Job

# Measured on two busy cores (analysis/LOG.md): 7 s until the first batch trains, Ray being up, and
# 10 ms from batch to batch on a slot.
OVERHEAD = Overhead(start=7.0, trial=0.01, dispatch=DISPATCH_S, look=LOOK_S, worker=WORKER_S)


def place(
    jobs: Sequence[Job], slots: Slots, engine: str | None = None, cost: Cost = predict_seconds
) -> tuple[Batch, ...]:
    """Return batches for the cores and the GPUs; `engine` trains them, or the fastest one does."""

    def plan(job: Job, device: str) -> PlannedJob:
        return plan_job(job, device, engine, cost)

    def batches(some: Sequence[Job], device: str, n_slots: int) -> tuple[Batch, ...]:
        return make_batches(
            some,
            partial(plan, device=device),
            max(n_slots, 1),
            lambda job: engines.preferred_group_size(job.cell, engine, device),
        )

    cpu_jobs, gpu_jobs = divide(jobs, lambda job, device: plan(job, device).seconds, slots)
    on_gpus = map(_with_share, batches(gpu_jobs, "cuda", slots.gpu))
    return (*batches(cpu_jobs, "cpu", slots.cpu), *on_gpus)


def predicted(batches: Sequence[Batch], slots: Slots) -> str:
    """Return in words the predicted time of cores and of GPUs, and the wait until both are done."""
    core, gpu = work(batches, "cpu"), work(batches, "cuda")
    parts = [f"{duration(core)} of core time"] if core else []
    parts += [f"{duration(gpu)} of GPU time"] if gpu else []
    wait = expected(batches, slots).makespan
    return f"predicted {' and '.join(parts)}, {duration(wait)} to wait"


def expected(batches: Sequence[Batch], slots: Slots) -> Schedule:
    """Return when batches are done on so many cores and GPUs, counted from when Ray is up."""
    seconds = {
        device: [batch.seconds for batch in batches if batch.device == device]
        for device in ("cpu", "cuda")
    }
    largest = max((batch.share for batch in batches if batch.device == "cuda"), default=1.0)
    by_kind = {"cpu": slots.cpu, "cuda": int(slots.gpu / largest)}
    return simulate(seconds, by_kind, OVERHEAD)


def _with_share(batch: Batch) -> Batch:
    """Return a batch with the part of a GPU that its most demanding job keeps busy."""
    jobs = [planned.job for planned in batch.jobs]
    return replace(batch, share=max(engines.gpu_share(job.cell, len(job.members)) for job in jobs))
