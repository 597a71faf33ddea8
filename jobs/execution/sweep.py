"""Train the models of a study on Ray Tune: those that are not stored yet, and no others.

`python -m jobs.sweep STUDY --out URI` is `scaling sweep`, for use as a Ray job.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray import tune

from jobs.execution import capacity, connect, stopping, tracking
from jobs.execution.folder import exclusive_lock, mended_state, tidied_state, write_plan
from jobs.execution.head_watch import HeadLost
from jobs.execution.inbox import finished_models
from jobs.execution.last_words import last_words
from jobs.execution.losses import plain
from jobs.execution.lost_trials import UNKNOWN, WorkerLost, reason
from jobs.execution.presence import announced
from jobs.execution.queue import Queue
from jobs.execution.ray_trials import advice, resource_request, run_trials
from jobs.execution.run_record import record_run
from jobs.execution.silence import Limits
from jobs.execution.trial_source import Lost
from jobs.execution.worker import train_batch
from jobs.planning.batches import Batch, Slots, unfinished_jobs
from jobs.planning.cost import Cost, devices_of, plan_job, predict_seconds
from jobs.planning.placement import place, predicted
from scaling import engines
from scaling.progress import Progress
from scaling.store.store import State, Store
from scaling.study import Job, Study, plan

REPORT_S = 0.01  # of one worker, and so between two of all of them: the driver takes 1 to 3 ms each


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sweep runs; none of it changes a result."""

    address: str = "auto"
    cpus: int | None = None
    device: str = "cpu"
    engine: str | None = None
    retry_failed: bool = False
    shared_fs: bool = False
    track: str | None = None  # where metrics go besides: tensorboard or mlflow
    limits: Limits = field(default_factory=Limits)  # of silent trials


def sweep(
    study: Study,
    jobs: Sequence[Job],
    store: Store,
    options: Options,
    report: Callable[[str], None],
    command: str = "",
    cost: Cost = predict_seconds,
) -> State:
    """Train the models of a study that are not stored; return the state of the folder afterwards.

    Raises InputError where results cannot be written, the cluster cannot do it, or another sweep
    is writing to the same folder.
    """
    if options.track:
        tracking.check(options.track, store)
    tracker = tracking.find_tracker(options.track, store, study.name)
    store.check_writable()
    device = devices_of(options.device)[0]
    with exclusive_lock(store), announced(store, f"sweep of {study.name}", report) as presence:
        planned = (plan_job(job, device, options.engine, cost) for job in jobs)
        write_plan(store, plan(study, jobs, [each.seconds for each in planned], command), report)
        state = mended_state(store, report)
        left = unfinished_jobs(jobs, _settled(jobs, state, options.retry_failed))
        total = sum(len(job.members) for job in jobs)
        models = sum(len(job.members) for job in left)
        tell_stored(store, jobs, state)
        if not models:
            report(f"{study.name}: all {total} models are stored in {store.out}, nothing to train")
            _track(tracker, jobs, state)
            return state
        stored = f"{total - models} of {total} are stored, " if models < total else ""
        report(f"{study.name}: {stored}{models} models to train")
        _track(tracker, jobs, state)  # of an earlier sweep, which may have been killed
        try:
            callbacks = (presence, *([tracker] if tracker else ()))
            _train(study, left, store, options, report, command, cost, callbacks)
        except HeadLost as lost:
            report(f"{study.name}: {lost}: {advice(exact=True)}")
        state = tidied_state(store, report, presence.renew)
        _track(tracker, jobs, state)  # stored by a worker that was killed before it could report
        return state


def tell_stored(store: Store, jobs: Sequence[Job], state: State) -> None:
    """Set what a signal's last line says of the stored models."""
    runs = {job.cell.run_id(member) for job in jobs for member in job.members}
    stopping.tell(
        stopping.Stored(
            out=store.out,
            total=len(runs),
            known=len(runs & state.finished),
            count=lambda: len(runs & store.state().finished),
        )
    )


def _train(
    study: Study,
    left: Sequence[Job],
    store: Store,
    options: Options,
    report: Callable[[str], None],
    command: str,
    cost: Cost,
    callbacks: Sequence[tune.Callback],
) -> None:
    """Train the jobs that are left on Ray. Raises HeadLost where Ray is lost meanwhile."""
    with last_words(), connect.connected(options.address, options.cpus) as where:
        slots = capacity.available_slots(options.device, options.cpus, store, options.shared_fs)
        batches = place(left, slots, options.engine, cost)
        for each in (each for batch in batches for each in batch.jobs):
            engines.warm_up([each.job.cell], each.engine, each.device)
        report(f"on {where}, {slots} at a time: {predicted(batches, slots)}")
        with record_run(store, study.name, batches, slots, options.device, command):
            _run(study, batches, store, slots, callbacks, options.limits)


def _track(tracker: tracking.Tracker | None, jobs: Sequence[Job], state: State) -> None:
    """Make a run of each stored model of these jobs that has none."""
    if tracker:
        runs = (job.cell.run_id(member) for job in jobs for member in job.members)
        tracker.track(run for run in runs if run in state.finished)


def _run(
    study: Study,
    batches: Sequence[Batch],
    store: Store,
    slots: Slots,
    callbacks: Sequence[tune.Callback],
    limits: Limits,
) -> None:
    def arguments(config: dict[str, Any]) -> dict[str, Any]:
        return {
            "jobs": batches[config["batch"]].jobs,
            "every_s": REPORT_S * (slots.cpu + slots.gpu),
        }

    def store_lost(lost: Sequence[Lost]) -> None:
        jobs = ([each.job for each in batches[config["batch"]].jobs] for config, _ in lost)
        store_failures([*zip(jobs, (error for _, error in lost), strict=True)], store)

    models = sum(batch.n_models for batch in batches)
    with Progress(study.name, sum(batch.seconds for batch in batches)) as bar:
        run_trials(
            train_batch,
            Queue(batches, slots),
            max_concurrent=slots.cpu + round(slots.gpu / min(batch.share for batch in batches)),
            resources=lambda kind: resource_request(*kind),
            predicted=lambda config: batches[config["batch"]].seconds,
            arguments=arguments,
            store=store,
            say=bar.say,
            limits=limits,
            store_lost=store_lost,
            callbacks=[ProgressCallback(bar, models), *callbacks],
            study=study.name,
        )
    _name_missing([planned.job for batch in batches for planned in batch.jobs], store)


def _name_missing(jobs: Sequence[Job], store: Store) -> None:
    """Write a failure for each model that is neither stored nor failed after all trials."""
    state = store.state()
    runs = {job.cell.run_id(member) for job in jobs for member in job.members}
    known = state.finished | {run for run in runs if state.failed(run)}
    store_failures([(unfinished_jobs(jobs, known), WorkerLost(UNKNOWN))], store)


class ProgressCallback(tune.Callback):
    """Turn the reports of trials into the progress line."""

    def __init__(self, bar: Progress, models: int) -> None:
        self.bar, self.models = bar, models
        self.finished: set[str] = set()
        self.failed = 0
        self.last = ""

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if result.get("message"):
            self.bar.say(result["message"])
        for model in finished_models(result):
            if model["finished"] not in self.finished and not model["failed"]:
                stopping.one_more()
            self.finished.add(model["finished"])
            self.failed += model["failed"]
            self.last = f" ({model['text']})"
        failed = f", {self.failed} failed" if self.failed else ""
        text = f"{len(self.finished)} of {self.models} models{failed}{self.last}"
        self.bar.advance(result.get("seconds", 0.0), text)


def _settled(jobs: Sequence[Job], state: State, retry_failed: bool) -> set[str]:
    """Return the models that need no training: finished, or failed as they would again."""
    runs = [job.cell.run_id(member) for job in jobs for member in job.members]
    return {
        run
        for run in runs
        if run in state.finished or (state.failed(run, "numeric") and not retry_failed)
    }


def store_failures(lost: Sequence[tuple[Sequence[Job], BaseException]], store: Store) -> None:
    """Write a row for each model of these trials, which were given up, that has no results.

    A model that became NaN keeps that failure, as it would become NaN again.
    """
    if not any(jobs for jobs, _ in lost):
        return
    state = store.state()
    runs = {job.cell.run_id(member) for jobs, _ in lost for job in jobs for member in job.members}
    # Asked for by name, too: the list of a bucket need not be up to date.
    named = store.read("failures", ["run_id", "kind"], sorted(runs - state.finished)).table
    nan = {row["run_id"] for row in named.to_pylist() if row["kind"] == "numeric"}
    known = state.finished | nan | {run for run in runs if state.failed(run, "numeric")}
    for jobs, error in lost:
        trace = plain("".join(traceback.format_exception(error)))
        for job in unfinished_jobs(jobs, known):
            for member in job.members:
                store.write_failure(
                    {
                        "cell_id": job.cell.cell_id,
                        "run_id": job.cell.run_id(member),
                        "kind": "infrastructure",
                        "error": reason(error),
                        "traceback": trace,
                    }
                )
