"""Metrics of a sweep in TensorBoard or MLflow, by Ray's own loggers: a run for each model.

A trial is a batch of models, whose curves have nothing in common but the worker. So each model
that is stored becomes a run of its own, named by its run_id, with a step for every evaluated epoch:
its rows in OUT/metrics, and nothing else, handed to Ray's logger as if it were a trial.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.logger import LoggerCallback

from scaling.errors import InputError
from scaling.store import Store

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}
MLFLOW_SERVER = "MLFLOW_TRACKING_URI"  # MLflow's own variable
PARAMETERS = (
    *("study", "dataset", "split", "n_train", "width", "model", "recipe", "seed"),
    *("lr", "weight_decay", "batch_size", "epochs", "engine", "device"),
)
STEP = "training_iteration"  # what Ray's loggers take for the step
PARTS = ("train", "val", "test")


@dataclass(slots=True, kw_only=True, eq=False)  # loggers keep runs by what they are
class Run:
    """What Ray's loggers ask of a trial."""

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
    """Hands every model that a trial reports as finished to a logger."""

    def __init__(self, logger: LoggerCallback, store: Store, folder: Path) -> None:
        self.logger, self.store, self.folder = logger, store, folder
        self._seen: set[str] = set()

    def setup(self, *args: Any, **info: Any) -> None:
        self.logger.setup(*args, **info)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        run_id = result.get("finished")
        if run_id and run_id not in self._seen:
            self._seen.add(run_id)
            self._log(run_id)

    def _log(self, run_id: str) -> None:
        """A model whose training failed has no metrics, and so no run."""
        rows = self.store.read("metrics", names=[run_id]).table.to_pylist()
        if not rows:
            return
        config = {name: rows[0][name] for name in PARAMETERS}
        run: Any = Run(trial_id=run_id, local_path=str(self.folder / run_id), config=config)
        self.logger.log_trial_start(run)
        for row in sorted(rows, key=lambda row: int(row["epoch"])):
            result = {STEP: row["epoch"], **dict(_metrics(row))}
            self.logger.log_trial_result(row["epoch"], run, result)
        self.logger.log_trial_end(run)


def check(where: str, store: Store) -> None:
    """Raises InputError where the package is missing, or results have no folder on this machine."""
    package = PACKAGES[where]
    if find_spec(package) is None:
        raise InputError(f"--track {where} needs the package {package}: pip install {package}")
    if not store.is_local and not (where == "mlflow" and os.environ.get(MLFLOW_SERVER)):
        raise InputError(
            f"--track {where} writes beside the results, got {store.out}: expected a folder of this"
            f" machine, or mlflow with a server in {MLFLOW_SERVER}"
        )


def trackers(where: str | None, store: Store, study: str) -> list[tune.Callback]:
    """The tracker of a sweep, if one is asked for; runs are beside its results.

    MLflow's are on the server that MLFLOW_TRACKING_URI names, if it names one.
    """
    return [Tracker(_LOGGERS[where](store, study), store, store.root / where)] if where else []


def _tensorboard(store: Store, study: str) -> LoggerCallback:  # noqa: ARG001  all are called alike
    from ray.tune.logger import TBXLoggerCallback

    logger: LoggerCallback = TBXLoggerCallback()
    return logger


def _mlflow(store: Store, study: str) -> LoggerCallback:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    uri = os.environ.get(MLFLOW_SERVER) or (store.root / "mlflow").as_uri()
    logger: LoggerCallback = MLflowLoggerCallback(tracking_uri=uri, experiment_name=study)
    return logger


_LOGGERS: dict[str, Callable[[Store, str], LoggerCallback]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}


def _metrics(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Losses, errors and misses of each part that was evaluated, and what it took."""
    for part in PARTS:
        n = row["n_test"] if part == "test" else row[f"{part}_n"]
        if n:
            yield f"{part}/loss", row[f"{part}_loss"]
            yield f"{part}/error", row[f"{part}_misses"] / n
            yield f"{part}/misses", row[f"{part}_misses"]
    yield "examples_seen", row["examples_seen"]
    yield "cpu_s", row["cpu_s"]
