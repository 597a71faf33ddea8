"""Which models train on cores and which on GPUs, in what batches, and how long that takes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from jobs.planning.batches import DISPATCH_S, Batch, Slots, divide, make_batches, work
from jobs.planning.simulate import Overhead, Schedule, simulate
from scaling import engines
from scaling.progress import duration
from scaling.study import Job

# Measured on two busy cores (analysis/LOG.md): 7 s until the first of 200 trials trains, Ray being
# up; 36 ms from trial to trial on two slots, of which 15 to 17 are the driver's.
OVERHEAD = Overhead(start=7.0, trial=0.04, dispatch=DISPATCH_S)


def place(
    jobs: Sequence[Job],
    cost: Callable[[Job], float],
    gpu_cost: Callable[[Job], float],
    slots: Slots,
    engine: str | None,
) -> tuple[Batch, ...]:
    """Batches for the cores and the GPUs that there are."""
    cpu_jobs, gpu_jobs = divide(jobs, cost, gpu_cost, slots.cpu, slots.gpu)
    on_cpus = make_batches(
        cpu_jobs,
        cost,
        max(slots.cpu, 1),
        lambda job: engines.preferred_group_size(job.cell, engine, "cpu"),
    )
    on_gpus = make_batches(
        gpu_jobs,
        gpu_cost,
        max(slots.gpu, 1),
        lambda job: engines.preferred_group_size(job.cell, engine, "cuda"),
    )
    return (*on_cpus, *(_on_gpu(batch) for batch in on_gpus))


def seconds_by_model(
    batches: Sequence[Batch], cost: Callable[[Job], float], gpu_cost: Callable[[Job], float]
) -> dict[str, float]:
    """The predicted seconds of every model, where it will be trained."""
    return {
        job.cell.run_id(member): (gpu_cost if batch.device == "cuda" else cost)(job)
        / len(job.members)
        for batch in batches
        for job in batch.jobs
        for member in job.members
    }


def predicted(batches: Sequence[Batch], slots: Slots) -> str:
    """Predicted seconds of cores and of GPUs, and how long it takes until both are done."""
    core, gpu = work(batches, "cpu"), work(batches, "cuda")
    parts = [f"{duration(core)} of core time"] if core else []
    parts += [f"{duration(gpu)} of GPU time"] if gpu else []
    wait = expected(batches, slots).makespan
    return f"predicted {' and '.join(parts)}, {duration(wait)} to wait"


def expected(batches: Sequence[Batch], slots: Slots) -> Schedule:
    """When batches are done on so many cores and GPUs, counted from when Ray is up."""
    seconds = {
        device: [batch.seconds for batch in batches if batch.device == device]
        for device in ("cpu", "cuda")
    }
    largest = max((batch.share for batch in batches if batch.device == "cuda"), default=1.0)
    return simulate(seconds, {"cpu": slots.cpu, "cuda": int(slots.gpu / largest)}, OVERHEAD)


def _on_gpu(batch: Batch) -> Batch:
    share = max(engines.gpu_share(job.cell, len(job.members)) for job in batch.jobs)
    return replace(batch, device="cuda", share=share)
