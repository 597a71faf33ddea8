"""Measure the cost of Ray: a sweep beside the same training calls in a loop, and memory."""

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from jobs.execution import capacity, connect, driver_cost
from jobs.execution.sweep import Options, sweep
from jobs.execution.worker import train_job
from jobs.planning.batches import MOST_S
from jobs.planning.cost import Cost, PlannedJob, plan_job, predict_seconds
from scaling import engines
from scaling.data import datasets
from scaling.engines import Trained
from scaling.recipes.registry import find_recipe
from scaling.store.store import Store
from scaling.study import Grid, Job, Study, evaluated_epochs, resolve

TRIALS_PER_SLOT = 20
ROUNDS = 3
EPOCHS = 23
SHORT_S = 0.1  # of trials that are too short
TINY_CELLS = 1000
EMPTY_BATCHES = 3000
TINY_SIZES = 100  # images of the smallest of them; each next one has one more

_others: Barrier  # of a process that runs one of several loops


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """The overhead of a sweep whose every trial is one model.

    overhead: 1 - seconds of the same training calls in plain loops / (slots x wall), one for each
    slot at once, Ray itself being up already; running: the same from when the first trial began to
    train. Units: start_s seconds until then, trial_s seconds of a training call in the loops,
    models_s models a second of the sweep, from then on.
    """

    overhead: float
    running: float
    start_s: float
    trial_s: float
    models_s: float
    trials: int
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """Many cells of a few milliseconds each, as a sweep and in a plain loop. Units: seconds.

    stored: the loop with what it trains put into files as the sweep does; cell: the seconds
    of a slot that the sweep takes more than the plain loop, for one cell; share: of all its time.
    """

    cells: int
    wall: float
    loop: float
    stored: float
    cell: float
    share: float


def measure(us: float) -> dict[str, Any]:
    """Return all measurements on a local Ray; `us`: microseconds of a step on this machine.

    short: trials of a tenth of a second; one_slot: on one slot, beside which the driver has a core
    of its own; gain: models of all slots against those of one; load: of the machine before;
    driver_batch_ms and driver_batch_kb: the driver's core, and memory that stays, for a batch;
    driver_mb and head_mb: the most memory of this process and of Ray's beside it.
    """
    load = os.getloadavg()[0]
    with connect.connected("local"):
        rounds = [(sweep_overhead(us, cpus=1), sweep_overhead(us)) for _ in range(ROUNDS)]
        one, found = (_median(each) for each in zip(*rounds, strict=True))
        short = sweep_overhead(us, SHORT_S)
        tiny = tiny_cells()
        batch = driver_cost.measure(EMPTY_BATCHES)
        driver, head = peak_mb()
    flat = {name: getattr(found, name) for name in Overhead.__slots__}
    flat |= {f"short_{name}": getattr(short, name) for name in ("running", "trial_s")}
    flat |= {f"tiny_{name}": getattr(tiny, name) for name in Tiny.__slots__}
    gain = found.models_s / one.models_s
    flat["one_slot_running"] = one.running
    flat["running_range"] = tuple(sorted(every.running for _, every in rounds))[:: ROUNDS - 1]
    flat |= {"driver_batch_ms": batch.cpu_ms, "driver_batch_kb": batch.kb}
    return flat | {"gain": gain, "load": load, "driver_mb": driver, "head_mb": head}


def sweep_overhead(us: float, seconds: float = 1.0, cpus: int | None = None) -> Overhead:
    """Sweep recipe 1989 at width 1 in trials of this many seconds of training.

    Everything is stored as in any sweep, in a folder that is deleted.
    """
    n_train = max(1, round(seconds * 1e6 / us / EPOCHS))
    datasets.load("strokes", n_train)  # drawn before, once
    slots = capacity.cluster_slots("cpu", cpus).cpu
    study, jobs = _study((n_train,), EPOCHS, range(TRIALS_PER_SLOT * slots))
    before = plain_loops(jobs, slots)
    wall, began, rows = _run_sweep(
        study,
        jobs,
        # so that every model is a trial of its own
        lambda job, engine, device: MOST_S * len(job.members),  # noqa: ARG005
        cpus,
    )
    call = (before + plain_loops(jobs, slots)) / 2
    last = [row for row in rows if row["epoch"] == EPOCHS]
    start = min(row["created_at"].timestamp() - row["wall_s"] for row in last) - began
    return Overhead(
        overhead=1 - len(last) * call / (slots * wall),
        running=1 - len(last) * call / (slots * (wall - start)),
        start_s=start,
        trial_s=call,
        models_s=len(last) / (wall - start),
        trials=len(last),
        slots=slots,
    )


def _median(found: Sequence[Overhead]) -> Overhead:
    return sorted(found, key=lambda each: each.running)[len(found) // 2]


def plain_loops(jobs: Sequence[Job], processes: int) -> float:
    """Return the seconds of a training call of one model, in so many loops at once."""
    ones = [replace(job, members=(member,)) for job in jobs for member in job.members]
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(processes, _keep_barrier, (spawn.Barrier(processes),)) as pool:
        shares = [ones[i::processes] for i in range(processes)]
        return sum(pool.map(_loop, shares, chunksize=1)) / len(ones)


def tiny_cells(cells: int = TINY_CELLS) -> Tiny:
    """Train so many cells of a model each by a sweep, in its own batches, and by a plain loop."""
    datasets.load("strokes", TINY_SIZES + cells)
    study, jobs = _study(tuple(range(TINY_SIZES, TINY_SIZES + cells)), 1, range(1))
    engines.warm_up([jobs[0].cell])
    loop = _seconds_of(_train, jobs)
    with tempfile.TemporaryDirectory() as folder:
        planned = [plan_job(job, "cpu") for job in jobs]
        stored = _seconds_of(partial(_train_and_store, store=Store(folder)), planned)
    slots = capacity.cluster_slots("cpu").cpu
    wall, _, rows = _run_sweep(study, jobs, predict_seconds, None)
    assert len(rows) == cells
    return Tiny(
        cells=cells,
        wall=wall,
        loop=loop,
        stored=stored,
        cell=(slots * wall - loop) / cells,
        share=1 - loop / (slots * wall),
    )


def peak_mb() -> tuple[float | None, float | None]:
    """Return the peak memory of this process and of those that it started; None if unknown."""
    if not sys.platform.startswith("linux"):
        return None, None
    held = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(
                line.split(":", 1)
                for line in status.read_text(encoding="utf-8", errors="replace").splitlines()
            )
        except OSError:  # it has ended meanwhile
            continue
        if int(fields["PPid"]) == os.getpid() and "VmHWM" in fields:
            held.append(int(fields["VmHWM"].split()[0]) / 1024)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, sum(held)


def _study(
    n_train: tuple[int, ...], epochs: int, seeds: Sequence[int]
) -> tuple[Study, tuple[Job, ...]]:
    recipe = replace(find_recipe("1989"), epochs=epochs)
    grid = Grid(
        dataset=("strokes",), n_train=n_train, n_test=(100,), recipe=(recipe,), seeds=tuple(seeds)
    )
    study = Study(name="bench", question="What does Ray cost?", grids=(grid,))
    return study, resolve(study, datasets.find)


def _run_sweep(
    study: Study, jobs: Sequence[Job], cost: Cost, cpus: int | None
) -> tuple[float, float, list[dict[str, Any]]]:
    """Run a sweep; return its seconds, when it began, and the rows that it stored."""
    with tempfile.TemporaryDirectory() as folder:
        store, began = Store(folder), time.time()
        sweep(study, jobs, store, Options(cpus=cpus), lambda line: None, cost=cost)  # noqa: ARG005
        return time.time() - began, began, store.read("metrics").table.to_pylist()


def _keep_barrier(barrier: Barrier) -> None:
    """Keep, in a new process, the barrier at which it waits for the others."""
    global _others
    _others = barrier


def _loop(jobs: Sequence[Job]) -> float:
    """Train all jobs in this process, once the others are ready; return the seconds."""
    engines.warm_up([job.cell for job in jobs])
    _train(jobs[0])
    _others.wait()
    return _seconds_of(_train, jobs)


def _seconds_of(work: Callable[[Any], None], jobs: Sequence[Any]) -> float:
    began = time.perf_counter()
    for job in jobs:
        work(job)
    return time.perf_counter() - began


def _train(job: Job) -> None:
    data = datasets.load(job.source, job.cell.n_train)
    epochs = evaluated_epochs(job.cell.recipe.epochs)
    for result in engines.train(job.cell, job.members, data, epochs_evaluated=epochs):
        assert isinstance(result, Trained)


def _train_and_store(planned: PlannedJob, store: Store) -> None:
    train_job(planned, store, "bench", lambda row: None)  # noqa: ARG005
