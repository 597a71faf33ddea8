"""Metrics in TensorBoard and MLflow: what the event files hold is what is stored."""

import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest
from ports import free_port
from simulated import fill_study
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tiny import tiny

from jobs.cli.main import main
from jobs.execution import tracking
from jobs.execution.sweep import Options, sweep
from scaling.store.store import Store
from scaling.study import Grid, Study


def summaries(folder: Path) -> Iterator[tuple[int, Any]]:
    """Step and value of every summary in TensorBoard's files: length, crc, event, crc."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        body = path.read_bytes()
        while body:
            (length,) = struct.unpack("<Q", body[:8])
            event = Event.FromString(body[12 : 12 + length])
            body = body[16 + length :]
            for value in event.summary.value:
                yield event.step, value


def events(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Tag, step and value of every scalar."""
    for step, value in summaries(folder):
        if value.HasField("simple_value"):
            yield value.tag, step, value.simple_value


def settings(folder: Path) -> dict[str, str | float]:
    """The settings of a run, which TensorBoard compares beside the last metrics."""
    found = {value.tag: value.metadata.plugin_data.content for _, value in summaries(folder)}
    told = HParamsPluginData.FromString(found["_hparams_/experiment"]).experiment
    assert "ray/tune/test/error" in [metric.name.tag for metric in told.metric_infos]
    start = HParamsPluginData.FromString(found["_hparams_/session_start_info"])
    return {
        name: value.string_value or value.number_value
        for name, value in start.session_start_info.hparams.items()
    }


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
    tracker = tracking.find_tracker("tensorboard", Store(tmp_path), "tiny")
    assert tracker
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
        stored = model.iloc[0]
        assert settings(tmp_path / "tensorboard" / run_id) == {
            name: stored[name] for name in tracking.PARAMETERS
        }


def test_a_model_is_one_run_however_often_its_trial_reports(tmp_path: Path) -> None:
    grid = Grid(dataset=("mnist",), n_train=(911,), recipe=("1989",), seeds=(4,))
    fill_study(tmp_path, Study(name="s", question="?", grids=(grid,)), lambda _: 0.1)
    (run_id,) = pd.read_parquet(tmp_path / "metrics")["run_id"]
    written: list[tracking.Run] = []
    tracker = tracking.Tracker(lambda run, _: written.append(run), Store(tmp_path), tmp_path)
    for result in ({"seconds": 1.0}, {"finished": run_id}, {"finished": run_id}):
        tracker.on_trial_result(1, [], None, result)
    tracker.on_trial_result(1, [], None, {"finished": "failed-and-not-stored", "failed": True})
    row = report_all(tracker, tmp_path).iloc[0]
    error = row["test_misses"] / row["n_test"]
    (run,) = written
    assert (run.run_id, run.parameters["seed"], run.parameters["recipe"]) == (run_id, 4, "1989")
    assert list(run.metrics) == [row["epoch"]]
    assert run.metrics[row["epoch"]]["test/error"] == error


def filled(out: Path) -> list[str]:
    grid = Grid(dataset=("mnist",), n_train=(911,), recipe=("1989", "ce"), seeds=(0, 1, 2))
    fill_study(out, Study(name="s", question="?", grids=(grid,)), lambda _: 0.1)
    return sorted(path.stem for path in (out / "metrics").glob("*.parquet"))


def test_a_run_that_a_killed_sweep_left_is_written_again_and_whole_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, folder = filled(tmp_path), tmp_path / "tensorboard"

    def tracker() -> tracking.Tracker:
        found = tracking.find_tracker("tensorboard", Store(tmp_path), "s")
        assert found
        return found

    tracker().track(runs[:2])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    third = tracker()
    with monkeypatch.context() as patch:
        patch.setattr(SummaryWriter, "close", killed)
        with pytest.raises(KeyboardInterrupt):
            third.track(runs[2:])
    assert list((tmp_path / tracking.PART / runs[2]).iterdir()), "it was killed in the midst"
    assert len(list(folder.iterdir())) == 2
    tracker().track(runs)
    tracker().track(runs)
    assert sorted(path.name for path in folder.iterdir()) == runs
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == len(runs), "one event file a run"
    assert before.items() <= {path: path.stat().st_mtime_ns for path in files}.items()
    assert {tag for tag, _, _ in events(folder / runs[2])} == {
        tag for tag, _, _ in events(folder / runs[0])
    }


class Found(list[Any]):
    token: str | None = None


class Server:
    """As much of MLflow's client as is asked for: runs in memory, a run a page."""

    def __init__(self, tracking_uri: str) -> None:
        assert tracking_uri == "sqlite:///here"

    experiments: ClassVar[list[str]] = []
    runs: ClassVar[list[Any]] = []

    def get_experiment_by_name(self, name: str) -> Any:
        known = name in self.experiments
        return SimpleNamespace(experiment_id=f"id of {name}") if known else None

    def create_experiment(self, name: str) -> str:
        self.experiments.append(name)
        return f"id of {name}"

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        info = SimpleNamespace(run_id=str(len(self.runs)), run_name=run_name, status="RUNNING")
        logged = {"parameters": {}, "metrics": {}}
        self.runs.append(SimpleNamespace(info=info, experiment=experiment, tags=tags, **logged))
        return self.runs[-1]

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
        run = self.runs[int(run_id)]
        run.parameters |= dict(params)
        run.metrics |= {(step, key): value for key, value, at, step in metrics if at > 0}

    def set_terminated(self, run_id: str) -> None:
        self.runs[int(run_id)].info.status = "FINISHED"

    def search_runs(self, ids: list[str], max_results: int, page_token: str | None) -> Found:
        assert max_results > 0
        here, at = [run for run in self.runs if [run.experiment] == ids], int(page_token or 0)
        found = Found(here[at : at + 1])
        found.token = str(at + 1) if at + 1 < len(here) else None
        return found


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    entities = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=Server))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    yield Server
    Server.experiments.clear()
    Server.runs.clear()


def test_a_run_on_a_server_holds_what_is_stored(mlflow: type[Server], tmp_path: Path) -> None:
    runs = filled(tmp_path)
    tracker = tracking.find_tracker("mlflow", Store(tmp_path), "s")
    assert tracker
    rows = report_all(tracker, tmp_path).set_index("run_id")
    assert sorted(run.info.run_name for run in mlflow.runs) == runs
    for run in mlflow.runs:
        row = rows.loc[run.info.run_name]
        assert (run.experiment, run.info.status) == ("id of s", "FINISHED")
        assert run.parameters["lr"] == str(row["lr"])
        assert run.metrics[row["epoch"], "test/loss"] == row["test_loss"]
        assert run.metrics[row["epoch"], "training_iteration"] == row["epoch"]


def test_a_server_is_asked_for_the_runs_that_it_has(
    mlflow: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = filled(tmp_path)

    def tracker() -> tracking.Tracker:
        found = tracking.find_tracker("mlflow", Store(tmp_path), "s")
        assert found
        return found

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    tracker().track(runs[:2])
    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "set_terminated", killed)
        with pytest.raises(KeyboardInterrupt):
            tracker().track(runs[2:3])
    tracker().track(runs)
    tracker().track(runs)
    names = [run.info.run_name for run in mlflow.runs if run.info.status == "FINISHED"]
    assert names == runs
    assert len(mlflow.runs) == len(runs) + 1
    assert list(tracking._in_mlflow("sqlite:///here", "another")) == []
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "chosen")
    tracker().track(runs[:1])
    tracker().track(runs[:1])
    assert [run.info.run_name for run in mlflow.runs if run.experiment == "chosen"] == runs[:1]


@pytest.mark.usefixtures("local_ray")
def test_models_that_were_stored_before_get_their_run(tiny_npz: Path, tmp_path: Path) -> None:
    """By a sweep that did not track, or was killed; where nothing is left to train as well."""
    study, jobs = tiny(tiny_npz)
    store, say = Store(tmp_path), lambda _: None
    two = [replace(job, members=job.members[:1]) for job in jobs[:2]]
    sweep(study, two, store, Options(), say)
    state = sweep(study, jobs, store, Options(track="tensorboard"), say)
    folder = tmp_path / "tensorboard"
    assert len(state.finished) == 8
    assert {path.name for path in folder.iterdir()} == state.finished
    shutil.rmtree(folder / min(state.finished))
    sweep(study, jobs, store, Options(track="tensorboard"), say)
    assert {path.name for path in folder.iterdir()} == state.finished
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 8


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
