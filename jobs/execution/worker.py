"""Train a batch of models in a worker: load the data, store each model as soon as it is done."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ray import tune

from jobs.planning.batches import Batch
from jobs.planning.cost import PlannedJob
from scaling import engines
from scaling.data import datasets
from scaling.engines import Evaluation, NumericFailure
from scaling.pretraining import start_of
from scaling.store.checkpoints import Checkpoints
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Cell, Member, evaluated_epochs

Report = Callable[[dict[str, Any]], None]
REPORT_S = 2.0  # assumed: as often as people look; a report costs a worker 6 ms (analysis/LOG.md)


def train_batch(
    config: dict[str, int],
    batches: Sequence[Batch],
    study: str,
    out: str,
    settings: dict[str, str],
) -> None:
    """Train the batch whose number the configuration of this Tune trial holds.

    Models that an interrupted trial had stored are trained again: equal rows replace equal rows.
    """
    os.environ.update(settings)
    store = Store(out)
    batch = batches[config["batch"]]
    checkpoints = Checkpoints(store, lambda line: tune.report({"message": line}))
    for planned in batch.jobs:
        train_job(planned, store, study, tune.report, checkpoints)


def train_job(
    planned: PlannedJob,
    store: Store,
    study: str,
    report: Report,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Train and store the members of a job; report progress, and each model once it is stored."""
    job, cell = planned.job, planned.job.cell
    data = datasets.load(job.source, cell.n_train)
    seconds = planned.seconds / len(job.members)
    reporter = ProgressReporter(report)

    def observe(member: Member, evaluation: Evaluation) -> None:
        if evaluation.epoch < cell.recipe.epochs:  # the last is reported once it is stored
            done = seconds * evaluation.epoch / cell.recipe.epochs
            reporter.reached(cell.run_id(member), done)

    for result in engines.train(
        cell,
        job.members,
        data,
        engine=engine_here(planned),
        device=planned.device,
        epochs_evaluated=evaluated_epochs(cell.recipe.epochs),
        observe=observe,
        start=start_of(cell, job.start_source),
        checkpointer_of=partial(checkpoints.of, cell) if checkpoints else None,
    ):
        run_id = cell.run_id(result.member)
        failed = isinstance(result, NumericFailure)
        if isinstance(result, NumericFailure):
            store.write_failure(failure_row(cell, result))
            outcome = result.error
        else:
            store.write_model(metric_rows(study, cell, result), prediction_row(cell, result))
            outcome = f"{result.history[-1].test.misses / cell.n_test:.2%} test error"
        text = f"{label(cell)} seed {result.member.seed}: {outcome}"
        reporter.reached(run_id, seconds, finished=run_id, failed=failed, text=text)


def engine_here(planned: PlannedJob) -> str:
    """Return the engine of a job: the planned one, or the next best on a node that lacks it.

    A node without numba would else fail every trial that it takes, and take the most.
    """
    job, device = planned.job, planned.device
    if planned.fixed or engines.unsupported_reason(planned.engine, job.cell, device) is None:
        return planned.engine
    return engines.choose(job.cell, None, device, len(job.members))


class ProgressReporter:
    """Report the share of the predicted seconds that is done: now and then, and for each model."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reached: dict[str, float] = {}
        self._unreported, self._last = 0.0, time.monotonic()

    def reached(self, run_id: str, seconds: float, **finished: Any) -> None:
        self._unreported += seconds - self._reached.get(run_id, 0.0)
        self._reached[run_id] = seconds
        if finished or time.monotonic() - self._last >= REPORT_S:
            self._report({"seconds": self._unreported, **finished})
            self._unreported, self._last = 0.0, time.monotonic()


def label(cell: Cell) -> str:
    """Return a cell in a few words."""
    width = "" if cell.width == 1 else f" width {cell.width:g}"
    return f"{cell.dataset} n={cell.n_train:,}{width} {cell.recipe.name}"
