"""Metrics in TensorBoard and MLflow: what the event files hold is what is stored."""

import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ports import free_port
from ray.tune.logger import LoggerCallback
from simulated import fill_study
from tensorboardX.proto.event_pb2 import Event

from jobs import tracking
from jobs.cli import main
from scaling.store import Store
from scaling.study import Grid, Study


def events(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Tag, step and value of every scalar in TensorBoard's files: length, crc, event, crc."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        body = path.read_bytes()
        while body:
            (length,) = struct.unpack("<Q", body[:8])
            event = Event.FromString(body[12 : 12 + length])
            body = body[16 + length :]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    yield value.tag, event.step, value.simple_value


def report_all(tracker: tracking.Tracker, out: Path) -> pd.DataFrame:
    """As a sweep's trials report that their models are finished; the rows that are stored."""
    rows = pd.read_parquet(out / "metrics")
    for run_id in rows["run_id"].unique():
        tracker.on_trial_result(1, [], None, {"finished": run_id})
    return rows


def test_every_stored_epoch_is_in_the_event_file_of_its_model(
    tiny_npz: Path, tmp_path: Path
) -> None:
    words = ["train", "--dataset", tiny_npz, "--n-train", 30, "--epochs", 3, "--seeds", 2]
    words += ["--engine", "reference", "--out", tmp_path]
    assert main([str(word) for word in words]) == 0
    (tracker,) = tracking.trackers("tensorboard", Store(tmp_path), "tiny")
    assert isinstance(tracker, tracking.Tracker)
    rows = report_all(tracker, tmp_path)
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == set(rows["run_id"])
    for run_id, model in rows.groupby("run_id"):
        seen = {(tag, step): v for tag, step, v in events(tmp_path / "tensorboard" / run_id)}
        assert len(model) == 3
        for row in model.itertuples():
            loss, error = (seen[f"ray/tune/test/{name}", row.epoch] for name in ("loss", "error"))
            assert loss == pytest.approx(row.test_loss)
            assert error == pytest.approx(row.test_misses / row.n_test)
        assert not any(tag.startswith("ray/tune/val") for tag, _ in seen)  # there is no split


class Recorder(LoggerCallback):
    """A logger that notes what it is told, as MLflow's would."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def log_trial_start(self, trial: Any) -> None:
        self.told.append((str(trial), trial.config["seed"], trial.config["recipe"]))

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:  # noqa: ARG002
        self.told.append((iteration, result["test/error"]))

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:  # noqa: ARG002
        self.told.append("end")


def test_a_model_is_one_run_however_often_its_trial_reports(tmp_path: Path) -> None:
    grid = Grid(dataset=("mnist",), n_train=(911,), recipe=("1989",), seeds=(4,))
    fill_study(tmp_path, Study(name="s", question="?", grids=(grid,)), lambda _: 0.1)
    (run_id,) = pd.read_parquet(tmp_path / "metrics")["run_id"]
    logger = Recorder()
    tracker = tracking.Tracker(logger, Store(tmp_path), tmp_path)
    for result in ({"seconds": 1.0}, {"finished": run_id}, {"finished": run_id}):
        tracker.on_trial_result(1, [], None, result)
    tracker.on_trial_result(1, [], None, {"finished": "failed-and-not-stored", "failed": True})
    row = report_all(tracker, tmp_path).iloc[0]
    error = row["test_misses"] / row["n_test"]
    assert logger.told == [(run_id, 4, "1989"), (row["epoch"], error), "end"]


def test_what_cannot_be_tracked_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tracking, "find_spec", lambda name: None if name == "mlflow" else find_spec(name)
    )
    words = ["sweep", "quickstart", "--dataset", "strokes", "--out"]
    for where, out, message in (
        ("mlflow", str(tmp_path), "--track mlflow needs the package mlflow: pip install mlflow"),
        ("tensorboard", "s3://bucket/out?region=x", "expected a folder of this machine"),
    ):
        assert main([*words, out, "--track", where]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_mlflow_server_that_does_not_answer_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda _: True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    words = ["sweep", "quickstart", "--dataset", "strokes", "--out", str(tmp_path)]
    assert main([*words, "--track", "mlflow"]) == 2
    error = capsys.readouterr().err.strip()
    assert "no server answers at MLFLOW_TRACKING_URI=http://127.0.0.1" in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())
