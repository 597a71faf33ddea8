"""What a worker does: load the data, train a batch of models, store each as soon as it is done."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ray import tune

from jobs.planning.batches import Batch
from scaling import engines
from scaling.data import datasets
from scaling.engines import Evaluation, NumericFailure
from scaling.pretraining import start_of
from scaling.store.checkpoints import Checkpoints
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Cell, Job, Member, evaluated_epochs

Report = Callable[[dict[str, Any]], None]
TELL_S = 2.0  # assumed: as often as people look; a report costs a worker 6 ms (analysis/LOG.md)


def train_batch(
    config: dict[str, int],
    batches: Sequence[Batch],
    seconds: dict[str, float],
    study: str,
    out: str,
    engine: str | None,
    settings: dict[str, str],
) -> None:
    """A Tune trial: the batch whose number the configuration holds.

    Reports, by run_id, the part of the predicted seconds that is done, for the driver's progress.
    Training again what an interrupted trial had stored replaces equal rows by equal rows.
    """
    os.environ.update(settings)
    store = Store(out)
    batch = batches[config["batch"]]
    checkpoints = Checkpoints(store, lambda line: tune.report({"said": line}))
    for job in batch.jobs:
        train_job(job, store, seconds, study, engine, batch.device, tune.report, checkpoints)


def train_job(
    job: Job,
    store: Store,
    seconds: dict[str, float],
    study: str,
    engine: str | None,
    device: str,
    report: Report,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Train and store the members of a job; reports progress, and each model once it is stored."""
    cell = job.cell
    data = datasets.load(job.source, cell.n_train)
    teller = Teller(report)

    def observe(member: Member, evaluation: Evaluation) -> None:
        if evaluation.epoch < cell.recipe.epochs:  # the last is told once it is stored
            run_id = cell.run_id(member)
            teller.reached(run_id, seconds[run_id] * evaluation.epoch / cell.recipe.epochs)

    for result in engines.train(
        cell,
        job.members,
        data,
        engine=engine,
        device=device,
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
        teller.reached(run_id, seconds[run_id], finished=run_id, failed=failed, text=text)


class Teller:
    """Reports how many of the predicted seconds are done: not often, but each that is finished."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reached: dict[str, float] = {}
        self._untold, self._last = 0.0, time.monotonic()

    def reached(self, run_id: str, seconds: float, **finished: Any) -> None:
        self._untold += seconds - self._reached.get(run_id, 0.0)
        self._reached[run_id] = seconds
        if finished or time.monotonic() - self._last >= TELL_S:
            self._report({"seconds": self._untold, **finished})
            self._untold, self._last = 0.0, time.monotonic()


def label(cell: Cell) -> str:
    """A cell in a few words."""
    width = "" if cell.width == 1 else f" width {cell.width:g}"
    return f"{cell.dataset} n={cell.n_train:,}{width} {cell.recipe.name}"
