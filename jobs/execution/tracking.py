"""Metrics of a sweep in TensorBoard or MLflow: a run for each model, by their own writers.

A trial is a batch of models, whose curves have nothing in common but the worker. So each model
that is stored becomes a run of its own, named by its run_id, with a step for every evaluated epoch:
its rows in OUT/metrics, and nothing else.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
from ray import tune

from jobs.execution.inbox import finished_models
from scaling.errors import InputError
from scaling.store.store import Store

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}
MLFLOW_SERVER = "MLFLOW_TRACKING_URI"  # MLflow's own variable
ANSWER_S = 10.0  # assumed
PARAMETERS = (
    *("study", "dataset", "split", "n_train", "width", "model", "recipe", "seed"),
    *("lr", "weight_decay", "batch_size", "epochs", "engine", "device"),
)
PARTS = ("train", "val", "test")
PART = ".part/runs"  # where what is not whole yet is written, in a results folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One stored model: its settings, and its metrics by epoch."""

    run_id: str
    parameters: Mapping[str, Any]
    metrics: Mapping[int, Mapping[str, float]]


class Tracker(tune.Callback):
    """Writes a run of every model that a trial reports as finished, and of those stored before.

    `write` gets a run and a folder for its files, which moves into `folder` when it is whole: the
    next sweep writes a run that a killed one left again, and no run is there twice.
    """

    def __init__(
        self,
        write: Callable[[Run, Path], None],
        store: Store,
        folder: Path,
        known: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._write, self.store, self.folder = write, store, folder
        self._known = known  # the runs that a server or database has
        self._tracked: set[str] | None = None
        self._cells: dict[str, str] = {}  # by run_id, of the stored plans

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self.track(model["finished"] for model in finished_models(result))

    def track(self, run_ids: Iterable[str]) -> None:
        """Make a run of each of these models that has none."""
        if self._tracked is None:
            local = self.store.is_local and self.folder.is_dir()
            there = self.folder.iterdir() if local else ()
            self._tracked = {*self._known(), *(path.name for path in there)}
        for run_id in run_ids:
            if run_id not in self._tracked:
                self._tracked.add(run_id)
                self._make(run_id)

    def _make(self, run_id: str) -> None:
        """Write the run of a model; one whose training failed has no metrics, and so no run."""
        rows = self.store.read_models("metrics", {run_id: self._cell_of(run_id)}).to_pylist()
        if not rows:
            return
        part = self.store.root / PART / run_id
        if self.store.is_local:
            shutil.rmtree(part, ignore_errors=True)  # what a killed sweep left
        rows.sort(key=lambda row: int(row["epoch"]))
        run = Run(
            run_id=run_id,
            parameters={name: rows[0][name] for name in PARAMETERS},
            metrics={
                row["epoch"]: {k: float(v) for k, v in _metrics(row) if v is not None}
                for row in rows
            },
        )
        self._write(run, part)
        if self.store.is_local and part.is_dir():
            self.folder.mkdir(exist_ok=True)
            part.rename(self.folder / run_id)

    def _cell_of(self, run_id: str) -> str:
        if run_id not in self._cells:
            plans, _ = self.store.find_plans()
            self._cells = {
                member["run_id"]: cell["cell_id"]
                for plan in plans.values()
                for cell in plan["cells"]
                for member in cell["members"]
            }
        return self._cells.get(run_id, "")


def check(where: str, store: Store) -> None:
    """Raise InputError where the package, its server or a folder on this machine is missing."""
    package = PACKAGES[where]
    if find_spec(package) is None:
        raise InputError(f"--track {where} needs the package {package}: pip install {package}")
    server = os.environ.get(MLFLOW_SERVER, "") if where == "mlflow" else ""
    if server.startswith("http"):
        try:
            requests.get(server, timeout=ANSWER_S)
        except requests.RequestException as error:  # MLflow itself would try for minutes
            raise InputError(
                f"--track mlflow: no server answers at {MLFLOW_SERVER}={server}"
                f" ({type(error).__name__}): start it, or unset {MLFLOW_SERVER}"
            ) from error
    if not store.is_local and not server:
        raise InputError(
            f"--track {where} writes beside the results, got {store.out}: expected a folder of this"
            f" machine, or mlflow with a server in {MLFLOW_SERVER}"
        )


def find_tracker(where: str | None, store: Store, study: str) -> Tracker | None:
    """Return the tracker of a sweep, if one is asked for; runs are beside its results.

    MLflow's are on the server that MLFLOW_TRACKING_URI names, if it names one.
    """
    if where:
        store.check_inside(PART, where, "mlflow.db")
    if where == "tensorboard":
        return Tracker(_write_events, store, store.root / where)
    if where == "mlflow":
        # A database: MLflow 3 takes no folder of files any more.
        uri = os.environ.get(MLFLOW_SERVER) or f"sqlite:///{store.root / 'mlflow.db'}"
        known = partial(_in_mlflow, uri, study)
        return Tracker(partial(_write_mlflow, uri, study), store, store.root / where, known)
    return None


def _write_events(run: Run, folder: Path) -> None:
    """Write the event file of a run, with the tags that Ray's logger gives."""
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    shown: dict[str, float] = {}
    with SummaryWriter(str(folder)) as writer:
        for epoch, metrics in run.metrics.items():
            shown = {f"ray/tune/{name}": v for name, v in metrics.items() if v == v}
            for tag, value in shown.items():
                writer.add_scalar(tag, value, epoch)
        for summary in hparams(dict(run.parameters), shown):
            writer.file_writer.add_summary(summary)  # add_hparams would make a run of its own


def _write_mlflow(uri: str, study: str, run: Run, folder: Path) -> None:  # noqa: ARG001  no files
    """Make a run in the experiment of this study, and finish it."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri=uri)
    experiment = _experiment(client, study) or client.create_experiment(study)
    tags, at = {"trial_name": run.run_id}, round(time.time() * 1000)
    made = client.create_run(experiment, run_name=run.run_id, tags=tags).info.run_id
    client.log_batch(made, params=[Param(k, str(v)) for k, v in run.parameters.items()])
    for epoch, metrics in run.metrics.items():  # a batch holds a thousand metrics at most
        step = {**metrics, "training_iteration": epoch}
        client.log_batch(made, [Metric(k, v, at, epoch) for k, v in step.items()])
    client.set_terminated(made)


def _in_mlflow(uri: str, study: str) -> Iterator[str]:
    """Yield the names of a study's finished runs, without those that a killed sweep left."""
    from mlflow import MlflowClient

    client, page = MlflowClient(tracking_uri=uri), None
    experiment = _experiment(client, study)
    while experiment:
        found = client.search_runs([experiment], max_results=1000, page_token=page)
        yield from (run.info.run_name for run in found if run.info.status == "FINISHED")
        if not (page := found.token):
            return


def _experiment(client: Any, study: str) -> str | None:
    """Return the id of the experiment: MLFLOW_EXPERIMENT_ID, or that of the study's name."""
    named = client.get_experiment_by_name(study)
    found: str | None = os.environ.get("MLFLOW_EXPERIMENT_ID") or (named and named.experiment_id)
    return found


def _metrics(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the losses, errors and misses of each part that was evaluated, and the cost."""
    for part in PARTS:
        n = row["n_test"] if part == "test" else row[f"{part}_n"]
        if n:
            yield f"{part}/loss", row[f"{part}_loss"]
            yield f"{part}/error", row[f"{part}_misses"] / n
            yield f"{part}/misses", row[f"{part}_misses"]
    yield "examples_seen", row["examples_seen"]
    yield "cpu_s", row["cpu_s"]
