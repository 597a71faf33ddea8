"""Run a tuning on Ray Tune: Optuna suggests values, a trial trains all seeds of a suggestion.

The stored rows give the objective. The same command resumes a tuning that was killed.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ray import tune as ray_tune

from jobs.execution import capacity, connect, stopping
from jobs.execution.folder import exclusive_lock, mended_state
from jobs.execution.head_watch import HeadLost
from jobs.execution.last_words import last_words
from jobs.execution.presence import Presence, announced
from jobs.execution.ray_trials import advice, resource_request, run_trials
from jobs.execution.sweep import Options, store_failures
from jobs.execution.trial_source import FINISHED, Lost, TrialSource
from jobs.execution.worker import train_job
from jobs.planning.batches import Slots, unfinished_jobs
from jobs.planning.cost import Cost, plan_job, predict_seconds
from jobs.tuning.define import Tuning
from jobs.tuning.objective import job_state, last_rows, run_ids
from jobs.tuning.optuna_study import Suggestion, Suggestions
from jobs.tuning.search_space import suggested
from jobs.tuning.summary import best_so_far
from scaling import engines
from scaling.progress import Progress, duration
from scaling.store import retries
from scaling.store.checkpoints import Checkpoints
from scaling.store.store import State, Store
from scaling.study import Job, Study, plan


def tune(
    tuning: Tuning,
    store: Store,
    options: Options,
    report: Callable[[str], None],
    command: str = "",
    cost: Cost = predict_seconds,
) -> tuple[dict[str, Any], State]:
    """Try suggestions until so many are stored; return the plan and the state of the folder.

    Raises InputError where results cannot be written, the cluster cannot do it, or the folder holds
    another tuning of that name.
    """
    store.check_writable()

    def seconds_of(job: Job) -> float:
        return plan_job(job, options.device, options.engine, cost).seconds

    with exclusive_lock(store), announced(store, f"tuning {tuning.name}", report) as presence:
        mended_state(store, report)
        suggestions = Suggestions(tuning.name, tuning.job, tuning.space, tuning.suggestions, store)

        def write_plan() -> dict[str, Any]:
            made = _plan(tuning, suggestions, seconds_of, command)
            store.write_plan(made)
            return made

        first, settled = suggestions.next(), len(suggestions.finished())
        write_plan()
        if first is None:
            report(f"{tuning.name}: all {settled} suggestions are stored in {store.out}")
            return write_plan(), store.state()
        left = tuning.suggestions - settled
        stored_text = f"{settled} of {tuning.suggestions} are stored, " if settled else ""
        seconds = seconds_of(tuning.job) * left
        stopping.tell(
            stopping.Stored(
                out=store.out,
                total=tuning.suggestions,
                known=settled,
                count=lambda: len(suggestions.finished()),
                unit="suggestions",
            )
        )
        try:
            with last_words(), connect.connected(options.address, options.cpus) as where:
                slots = capacity.available_slots(
                    options.device, options.cpus, store, options.shared_fs
                )
                engines.warm_up([tuning.job.cell], options.engine, options.device)
                at_once = min(slots.cpu + slots.gpu, left)
                report(
                    f"{tuning.name}: {stored_text}{left} suggestions of"
                    f" {len(tuning.job.members)} models to train"
                    f" on {where}, {slots} at a time: about {duration(seconds)} of core time,"
                    f" {duration(seconds / at_once)} to wait, at the published epochs"
                )
                _run(
                    *(tuning, suggestions, first, write_plan, store, options, slots, seconds_of),
                    presence,
                )
        except HeadLost as lost:
            report(f"{tuning.name}: {lost}: {advice(exact=True)}")
        return write_plan(), store.state()


def _run(
    tuning: Tuning,
    suggestions: Suggestions,
    first: Suggestion,
    write_plan: Callable[[], Mapping[str, Any]],
    store: Store,
    options: Options,
    slots: Slots,
    seconds_of: Callable[[Job], float],
    presence: Presence,
) -> None:
    def store_lost(lost: Sequence[Lost]) -> None:
        store_failures(
            [([suggested(tuning.job, config["values"])], error) for config, error in lost], store
        )

    with Progress(tuning.name, tuning.suggestions - len(suggestions.finished())) as bar:
        run_trials(
            train_suggestion,
            SuggestionSource(suggestions, first, write_plan, bar),
            max_concurrent=slots.cpu + slots.gpu,
            resources=lambda kind: resource_request(options.device),  # noqa: ARG005  all alike
            predicted=lambda config: seconds_of(suggested(tuning.job, config["values"])),
            store=store,
            say=bar.say,
            limits=options.limits,
            store_lost=store_lost,
            callbacks=[presence],
            base=tuning.job,
            study=tuning.name,
            engine=options.engine,
            device=options.device,
        )


class SuggestionSource(TrialSource):
    """Give Tune our suggestions, in place of its own search algorithm.

    Tune's own OptunaSearch neither resumes a suggestion that was being trained, nor moves ranges,
    and puts the published values first again each time that it opens a stored study.
    """

    def __init__(
        self,
        suggestions: Suggestions,
        first: Suggestion,
        write_plan: Callable[[], Mapping[str, Any]],
        bar: Progress,
    ) -> None:
        super().__init__()
        self.suggestions, self.write_plan, self.bar = suggestions, write_plan, bar
        self.plan: Mapping[str, Any] = {}
        self.rows: dict[str, dict[str, Any]] = {}  # by run_id, of settled suggestions
        for number in suggestions.finished():
            self.rows |= last_rows(suggestions.known[number].job, suggestions.store)
        self.first: Suggestion | None = first
        self.all_given = False

    def new(self) -> Any:
        """Return the configuration of a suggestion, after writing its models into the plan."""
        if self.all_given:
            return FINISHED
        new, self.first = self.first or self.suggestions.next(), None
        if new is None:
            self.all_given = True
            return FINISHED
        self.plan = self.write_plan()
        return {"number": new.number, "values": dict(new.values)}

    def settled(self, config: dict[str, Any]) -> None:
        """Settle the suggestion by its rows, whatever Tune says of it."""
        done = self.suggestions.known[config["number"]]
        if self.suggestions.settle(done):
            self.rows |= last_rows(done.job, self.suggestions.store)
            stopping.one_more()
        self.bar.advance(1, self._so_far())

    def _so_far(self) -> str:
        """Return the number of suggestions and the best one, by the same rule as at the end."""
        from analysis.effects.tuning import tuning_of  # pandas: the driver's alone

        finished = self.suggestions.finished()
        text = f"{len(finished)} of {self.suggestions.total} suggestions"
        failed = sum(value is None for value in finished.values())
        if failed:
            text += f", {failed} failed"
        runs = {run for number in finished for run in run_ids(self.suggestions.known[number].job)}
        tuned = tuning_of(self.plan, self.rows, lambda run: run in runs and run not in self.rows)
        return text + best_so_far(tuned.summary())


def train_suggestion(
    config: Mapping[str, Any],
    base: Job,
    study: str,
    out: str,
    engine: str | None,
    device: str,
    settings: dict[str, str],
) -> dict[str, Any]:
    """Train the models of a suggestion that are not stored yet; return the last report."""
    os.environ.update(settings)
    retries.on_retry = lambda line: ray_tune.report({"message": line})
    store, job = Store(out), suggested(base, config["values"])
    runs, state = run_ids(job), job_state(job, store)
    done = {run for run in runs if run in state.finished or state.failed(run, "numeric")}
    checkpoints = Checkpoints(store, lambda line: ray_tune.report({"message": line}))
    for left in unfinished_jobs([job], done):
        planned = plan_job(left, device, engine)  # here: an earlier attempt may have stored some
        return train_job(planned, store, study, ray_tune.report, checkpoints)
    return {}


def _plan(
    tuning: Tuning,
    suggestions: Suggestions,
    seconds_of: Callable[[Job], float],
    command: str,
) -> dict[str, Any]:
    """Return the plan of all suggestions so far, by cell, for `status`, `load` and the report."""
    cells: dict[str, Job] = {}
    for job in (known.job for known in suggestions.known.values()):
        earlier = cells.get(job.cell.cell_id, job)
        members = tuple(dict.fromkeys((*earlier.members, *job.members)))
        cells[job.cell.cell_id] = replace(job, members=members)
    names = ", ".join(t.name for t in tuning.space)
    study = Study(
        name=tuning.name,
        question=f"Which {names} is best for {tuning.job.cell.recipe.name} at this cell?",
        grids=(),
        notes=tuning.notes,
    )
    jobs = list(cells.values())
    made = plan(study, jobs, [seconds_of(job) for job in jobs], command)
    return made | {"tuning": {**suggestions.describe(), "fixed": dict(tuning.fixed)}}
