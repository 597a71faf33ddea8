"""Write metrics of a sweep to TensorBoard or MLflow, by Ray's own loggers: a run for each model.

A trial is a batch of models, whose curves have nothing in common but the worker. So each model
that is stored becomes a run of its own, named by its run_id, with a step for every evaluated epoch:
its rows in OUT/metrics, and nothing else, handed to Ray's logger as if it were a trial.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
from ray import tune
from ray.tune.logger import LoggerCallback

from scaling.errors import InputError
from scaling.store.store import Store

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}
MLFLOW_SERVER = "MLFLOW_TRACKING_URI"  # MLflow's own variable
ANSWER_S = 10.0  # assumed
PARAMETERS = (
    *("study", "dataset", "split", "n_train", "width", "model", "recipe", "seed"),
    *("lr", "weight_decay", "batch_size", "epochs", "engine", "device"),
)
STEP = "training_iteration"  # what Ray's loggers take for the step
PARTS = ("train", "val", "test")
PART = ".part/runs"  # unfinished runs, in a results folder


@dataclass(slots=True, kw_only=True, eq=False)  # loggers keep runs by identity
class Run:
    """A run with the attributes that Ray's loggers need of a trial."""

    trial_id: str
    local_path: str
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.trial_id

    @property
    def evaluated_params(self) -> Mapping[str, Any]:
        return self.config

    def init_local_path(self) -> None:
        Path(self.local_path).mkdir(parents=True, exist_ok=True)


class Tracker(tune.Callback):
    """Hand every model that a trial reports as finished to a logger, and those stored before.

    `folder` has a folder for each run, which appears there when it is complete: a run that a killed
    sweep left unfinished is written again, and no run is there twice.
    """

    def __init__(
        self,
        logger: LoggerCallback,
        store: Store,
        folder: Path,
        known: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.logger, self.store, self.folder = logger, store, folder
        self._known = known  # the runs that the logger's own server or database has
        self._tracked: set[str] | None = None

    def setup(self, *args: Any, **info: Any) -> None:
        if self._tracked is None:
            self.logger.setup(*args, **info)
            local = self.store.is_local and self.folder.is_dir()
            there = self.folder.iterdir() if local else ()
            self._tracked = {*self._known(), *(path.name for path in there)}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if run_id := result.get("finished"):
            self.track([run_id])

    def track(self, run_ids: Iterable[str]) -> None:
        """Make a run of each of these models that has none."""
        self.setup()
        assert self._tracked is not None
        for run_id in run_ids:
            if run_id not in self._tracked:
                self._tracked.add(run_id)
                self._log(run_id)

    def _log(self, run_id: str) -> None:
        """Write the run of a model; one whose training failed has no metrics, and so no run."""
        rows = self.store.read("metrics", names=[run_id]).table.to_pylist()
        if not rows:
            return
        config = {name: rows[0][name] for name in PARAMETERS}
        part = self.store.root / PART / run_id
        if self.store.is_local:
            shutil.rmtree(part, ignore_errors=True)  # what a killed sweep left
        run: Any = Run(trial_id=run_id, local_path=str(part), config=config)
        self.logger.log_trial_start(run)
        for row in sorted(rows, key=lambda row: int(row["epoch"])):
            result = {STEP: row["epoch"], **dict(_metrics(row))}
            self.logger.log_trial_result(row["epoch"], run, result)
        self.logger.log_trial_end(run)
        if self.store.is_local and part.is_dir():
            self.folder.mkdir(exist_ok=True)
            part.rename(self.folder / run_id)


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
    return _TRACKERS[where](store, study) if where else None


def _tensorboard(store: Store, study: str) -> Tracker:  # noqa: ARG001  all are called alike
    from ray.tune.logger import TBXLoggerCallback

    return Tracker(TBXLoggerCallback(), store, store.root / "tensorboard")


def _mlflow(store: Store, study: str) -> Tracker:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    # A database: MLflow 3 takes no folder of files any more.
    uri = os.environ.get(MLFLOW_SERVER) or f"sqlite:///{store.root / 'mlflow.db'}"
    logger = MLflowLoggerCallback(tracking_uri=uri, experiment_name=study)
    return Tracker(logger, store, store.root / "mlflow", partial(_in_mlflow, uri, study))


def _in_mlflow(uri: str, study: str) -> Iterator[str]:
    """Yield the names of a study's finished runs in MLflow."""
    import mlflow

    client, page = mlflow.MlflowClient(tracking_uri=uri), None
    experiment = client.get_experiment_by_name(study)
    while experiment:
        found = client.search_runs([experiment.experiment_id], max_results=1000, page_token=page)
        yield from (run.info.run_name for run in found if run.info.status == "FINISHED")
        if not (page := found.token):
            return


_TRACKERS: dict[str, Callable[[Store, str], Tracker]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}


def _metrics(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield losses, errors and misses of each part that was evaluated, and the cost."""
    for part in PARTS:
        n = row["n_test"] if part == "test" else row[f"{part}_n"]
        if n:
            yield f"{part}/loss", row[f"{part}_loss"]
            yield f"{part}/error", row[f"{part}_misses"] / n
            yield f"{part}/misses", row[f"{part}_misses"]
    yield "examples_seen", row["examples_seen"]
    yield "cpu_s", row["cpu_s"]
