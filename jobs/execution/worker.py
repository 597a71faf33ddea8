"""Train a batch of models in a worker: load the data, store each model as soon as it is done."""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from ray import tune

from jobs.planning.cost import PlannedJob
from scaling import engines
from scaling.data import datasets
from scaling.engines import Evaluation, NumericFailure
from scaling.engines.result import Trained
from scaling.pretraining import start_of
from scaling.store import retries
from scaling.store.checkpoints import Checkpoints
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Cell, Member, evaluated_epochs

Report = Callable[[dict[str, Any]], None]
TOGETHER_S = 2.0  # assumed: what an interrupted trial may lose; a file costs about a millisecond
REPORT_S = 2.0  # assumed: as often as people look; a report costs a worker 6 ms (analysis/LOG.md)


def train_batch(
    config: dict[str, Any],  # noqa: ARG001  every trainable gets it
    jobs: Sequence[PlannedJob],
    study: str,
    out: str,
    settings: dict[str, str],
    every_s: float = 0.0,
) -> dict[str, Any]:
    """Train the jobs of a batch, whose number the configuration holds; return the last report.

    Models that an interrupted worker had stored are not trained again.
    """
    os.environ.update(settings)
    retries.on_retry = lambda line: tune.report({"message": line})
    store = Store(out)
    checkpoints = Checkpoints(store, lambda line: tune.report({"message": line}))
    *others, last = jobs
    for planned in others:
        tune.report(train_job(planned, store, study, tune.report, checkpoints, every_s))
    return train_job(last, store, study, tune.report, checkpoints, every_s)


def train_job(
    planned: PlannedJob,
    store: Store,
    study: str,
    report: Report,
    checkpoints: Checkpoints | None = None,
    every_s: float = 0.0,
) -> dict[str, Any]:
    """Train and store the members of a job; report progress, and each model once it is stored.

    Return the report of the last model, which the caller sends, perhaps with more in it.
    """
    job, cell = planned.job, planned.job.cell
    seconds = planned.seconds / len(job.members)
    reporter = ProgressReporter(report, len(job.members), every_s)
    stored = store.stored_models({cell.run_id(m): cell.cell_id for m in job.members})
    for run_id in stored:
        text = f"{label(cell)}: stored before"
        reporter.reached(run_id, seconds, finished=run_id, failed=False, text=text)
    members = [member for member in job.members if cell.run_id(member) not in stored]
    if not members:
        return reporter.last
    data = datasets.load(job.source, cell.n_train)

    def observe(member: Member, evaluation: Evaluation) -> None:
        if evaluation.epoch < cell.recipe.epochs:  # the last is reported once it is stored
            done = seconds * evaluation.epoch / cell.recipe.epochs
            reporter.reached(cell.run_id(member), done)

    with Together(store, study, cell, reporter, seconds) as together:
        for result in engines.train(
            cell,
            members,
            data,
            engine=engine_here(planned),
            device=planned.device,
            epochs_evaluated=evaluated_epochs(cell.recipe.epochs),
            observe=observe,
            start=start_of(cell, job.start_source),
            checkpointer_of=partial(checkpoints.of, cell) if checkpoints else None,
        ):
            together.add(result)
    return reporter.last


class Together:
    """Store models of a cell that are finished soon after each other in one file.

    Models of a cell take equal times, so that none waits for much longer than TOGETHER_S. Use it in
    a `with` statement, which stores the rest, also when training is interrupted.
    """

    def __init__(
        self, store: Store, study: str, cell: Cell, reporter: "ProgressReporter", seconds: float
    ) -> None:
        self._store, self._study, self._cell = store, study, cell
        self._reporter, self._seconds = reporter, seconds
        self._waiting: list[Trained] = []
        self._written_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def add(self, result: Trained | NumericFailure) -> None:
        if isinstance(result, NumericFailure):
            self._store.write_failure(failure_row(self._cell, result))
            self._tell(result, result.error)
            return
        self._waiting.append(result)
        if time.monotonic() - self._written_at >= TOGETHER_S:
            self._write()

    def _write(self) -> None:
        models = [
            (metric_rows(self._study, self._cell, each), prediction_row(self._cell, each))
            for each in self._waiting
        ]
        self._store.write_models(models, self._cell.cell_id)
        for each in self._waiting:
            rate = each.history[-1].test.misses / self._cell.n_test
            self._tell(each, f"{rate:.2%} test error")
        self._waiting.clear()
        self._written_at = time.monotonic()

    def _tell(self, result: Trained | NumericFailure, outcome: str) -> None:
        run_id = self._cell.run_id(result.member)
        self._reporter.reached(
            run_id,
            self._seconds,
            finished=run_id,
            failed=isinstance(result, NumericFailure),
            text=f"{label(self._cell)} seed {result.member.seed}: {outcome}",
        )


def engine_here(planned: PlannedJob) -> str:
    """Return the engine of a job: the planned one, or the next best on a node that lacks it.

    A node without numba would else fail every trial that it takes, and take the most.
    """
    job, device = planned.job, planned.device
    if planned.fixed or engines.unsupported_reason(planned.engine, job.cell, device) is None:
        return planned.engine
    return engines.choose(job.cell, None, device, len(job.members))


class ProgressReporter:
    """Report the share of the predicted seconds that is done, now and then, and finished models.

    Models that finish within `every_s` of a report wait for the next one, as `earlier`. `last` is
    the report of the last of so many models, which is left to the caller.
    """

    def __init__(self, report: Report, models: int, every_s: float = 0.0) -> None:
        self._report, self._models, self._every_s = report, models, every_s
        self.last: dict[str, Any] = {}
        self._finished: list[dict[str, Any]] = []
        self._reached: dict[str, float] = {}
        self._unreported, self._reported_at = 0.0, time.monotonic()

    def reached(self, run_id: str, seconds: float, **finished: Any) -> None:
        self._unreported += seconds - self._reached.get(run_id, 0.0)
        self._reached[run_id] = seconds
        if finished:
            self._finished.append(finished)
            self._models -= 1
        since = time.monotonic() - self._reported_at
        if finished and not self._models:
            self.last = self._next()
        elif since >= (self._every_s if self._finished else max(self._every_s, REPORT_S)):
            self._report(self._next())

    def _next(self) -> dict[str, Any]:
        """Return a report of all that has come since the last one."""
        *earlier, latest = self._finished or [{}]
        made = {"seconds": self._unreported, **latest} | ({"earlier": earlier} if earlier else {})
        self._finished, self._unreported, self._reported_at = [], 0.0, time.monotonic()
        return made


def label(cell: Cell) -> str:
    """Return a cell in a few words."""
    width = "" if cell.width == 1 else f" width {cell.width:g}"
    return f"{cell.dataset} n={cell.n_train:,}{width} {cell.recipe.name}"
