"""A study onto Ray Tune and into the store: train what is not yet stored, and nothing else.

`python -m jobs.sweep STUDY --out URI` is `scaling sweep`, for use as a Ray job.
"""

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from filelock import FileLock, Timeout
from ray import tune

from jobs import cluster
from jobs.batches import Batch, Packed, make_batches, remaining
from jobs.runs import recorded, to_wait
from jobs.trial import train_batch
from scaling import engines
from scaling.errors import InputError
from scaling.progress import Progress, duration
from scaling.store import State, Store
from scaling.study import Job, Study, plan

INFRASTRUCTURE_RETRIES = 3  # assumed: for workers that are killed; a model's NaN is never retried


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sweep runs; none of it bears on its results."""

    address: str = "auto"
    cpus: int | None = None
    device: str = "cpu"
    engine: str | None = None
    retry_failed: bool = False
    shared_fs: bool = False


def sweep(
    study: Study,
    jobs: Sequence[Job],
    cost: Callable[[Job], float],
    store: Store,
    options: Options,
    say: Callable[[str], None],
    command: str = "",
) -> State:
    """Train the models of a study that are not stored; what is stored afterwards.

    Raises InputError where results cannot be written, the cluster cannot do it, or another sweep
    is writing to the same folder.
    """
    store.check_writable()
    with alone(store):
        store.write_plan(plan(study, jobs, [cost(job) for job in jobs], command))
        state = store.state()
        for torn in state.torn:
            say(f"warning: {torn}: its model is trained again")
        left = remaining(jobs, _done(jobs, state, options.retry_failed))
        total = sum(len(job.members) for job in jobs)
        models = sum(len(job.members) for job in left)
        if not models:
            say(f"{study.name}: all {total} models are stored in {store.out}, nothing to train")
            return state
        stored = f"{total - models} of {total} are stored, " if models < total else ""
        say(f"{study.name}: {stored}{models} models to train")
        engines.warm_up([job.cell for job in left], options.engine, options.device)
        with cluster.connected(options.address, options.cpus) as where:
            cluster.check_shared(store.out, store.is_local, options.shared_fs)
            slots = cluster.slots(options.device, options.cpus)
            batches = make_batches(
                left,
                cost,
                slots,
                lambda job: engines.together(job.cell, options.engine, options.device),
            )
            seconds = sum(batch.seconds for batch in batches)
            say(
                f"on {where}, {slots} at a time: predicted {duration(seconds)} of core time,"
                f" {duration(to_wait(batches, slots))} to wait"
            )
            with recorded(store, study.name, batches, slots, options.device, command):
                _run(study, batches, cost, store, options, slots)
        return store.state()


def _run(
    study: Study,
    batches: Sequence[Batch],
    cost: Callable[[Job], float],
    store: Store,
    options: Options,
    slots: int,
) -> None:
    resources: dict[str, float] = {"cpu": 1, "gpu": 1} if options.device == "cuda" else {"cpu": 1}
    trainable = tune.with_parameters(
        train_batch,
        batches=Packed(batches),
        seconds=_seconds_by_model(batches, cost),
        study=study.name,
        out=store.out if not store.is_local else str(store.root),
        engine=options.engine,
        device=options.device,
        settings=cluster.settings(),
    )
    models = sum(batch.n_models for batch in batches)
    with (
        tempfile.TemporaryDirectory(prefix="scaling-tune-") as scratch,
        Progress(study.name, sum(batch.seconds for batch in batches)) as bar,
    ):
        tuner = tune.Tuner(
            tune.with_resources(trainable, resources),
            param_space={"batch": tune.grid_search(list(range(len(batches))))},
            tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=slots),
            run_config=tune.RunConfig(
                storage_path=scratch,  # Ray's own state is disposable: ours is the store
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=INFRASTRUCTURE_RETRIES),
                callbacks=[Watcher(bar, models)],
            ),
        )
        results = tuner.fit()
    lost = [
        (batches[result.config["batch"]].jobs, result.error)
        for result in map(results.__getitem__, range(len(results)))
        if result.error is not None and result.config
    ]
    note_failures(lost, store)


class Watcher(tune.Callback):
    """Turns what trials report into the progress line."""

    def __init__(self, bar: Progress, models: int) -> None:
        self.bar, self.models = bar, models
        self.finished: set[str] = set()
        self.failed = 0
        self.last = ""

    def on_trial_result(
        self,
        iteration: int,  # noqa: ARG002  Tune calls by name
        trials: list[Any],  # noqa: ARG002
        trial: Any,  # noqa: ARG002
        result: dict[str, Any],
        **info: Any,  # noqa: ARG002
    ) -> None:
        if result.get("finished"):
            self.finished.add(result["finished"])
            self.failed += result["failed"]
            self.last = f" ({result['text']})"
        failed = f", {self.failed} failed" if self.failed else ""
        text = f"{len(self.finished)} of {self.models} models{failed}{self.last}"
        self.bar.advance(result.get("seconds", 0.0), text)


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Holds the results folder, so that two sweeps do not train the same models.

    The lock goes with its process, however that ends. Object stores have no locks; there the worst
    is double work, as equal models have equal names.
    """
    if not store.is_local:
        yield
        return
    try:
        with FileLock(store.root / ".lock", timeout=0):
            yield
    except Timeout:
        raise InputError(
            f"another sweep is writing to {store.out}: wait for it, or name another folder"
        ) from None


def _done(jobs: Sequence[Job], state: State, retry_failed: bool) -> set[str]:
    """Models that need no training: finished, or failed in a way that would happen again."""
    runs = [job.cell.run_id(member) for job in jobs for member in job.members]
    return {
        run
        for run in runs
        if run in state.finished or (state.failed(run, "numeric") and not retry_failed)
    }


def _seconds_by_model(batches: Sequence[Batch], cost: Callable[[Job], float]) -> dict[str, float]:
    return {
        job.cell.run_id(member): cost(job) / len(job.members)
        for batch in batches
        for job in batch.jobs
        for member in job.members
    }


def note_failures(lost: Sequence[tuple[Sequence[Job], BaseException]], store: Store) -> None:
    """A trial that was given up leaves a row for each of its models that is not stored."""
    if not lost:
        return
    finished = store.state().finished
    for jobs, error in lost:
        trace = re.sub(r"\x1b\[\d+m", "", "".join(traceback.format_exception(error)))  # Ray colours
        for job in remaining(jobs, finished):
            for member in job.members:
                store.write_failure(
                    {
                        "cell_id": job.cell.cell_id,
                        "run_id": job.cell.run_id(member),
                        "kind": "infrastructure",
                        "error": trace.strip().splitlines()[-1][:500],
                        "traceback": trace,
                    }
                )


if __name__ == "__main__":
    from jobs.cli import main

    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(["sweep", *sys.argv[1:]]))
