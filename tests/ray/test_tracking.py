"""Test tracking in TensorBoard and MLflow: their files hold the stored metrics."""

import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from ports import free_port
from ray.tune.logger import LoggerCallback
from simulated import fill_study
from tensorboardX.proto.event_pb2 import Event
from tiny import tiny

from jobs.cli.main import main
from jobs.cli.training import cost_by
from jobs.execution import tracking
from jobs.execution.sweep import Options, sweep
from scaling.store.store import Store
from scaling.study import Grid, Study


def events(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Return tag, step and value of every scalar in TensorBoard's files."""
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


class Recorder(LoggerCallback):
    """Record the calls of a logger, as MLflow's would get them."""

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
    monkeypatch.setattr(third.logger, "log_trial_end", killed)
    with pytest.raises(KeyboardInterrupt):
        third.track(runs[2:])
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


def test_a_server_is_asked_for_the_runs_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = filled(tmp_path)
    finished, killed = [*runs[:1], "of another folder"], runs[1]

    class Found(list[Any]):
        token: str | None = None

    class Client:
        """Simulate MLflow's client as far as it is called, with one run a page."""

        def __init__(self, tracking_uri: str) -> None:
            assert tracking_uri == "sqlite:///here"

        def get_experiment_by_name(self, name: str) -> Any:
            return SimpleNamespace(experiment_id="7") if name == "s" else None

        def search_runs(self, ids: list[str], max_results: int, page_token: str | None) -> Found:
            assert (ids, max_results > 0) == (["7"], True)
            at = int(page_token or 0)
            known = [*((name, "FINISHED") for name in finished), (killed, "RUNNING")]
            name, status = known[at]
            found = Found([SimpleNamespace(info=SimpleNamespace(run_name=name, status=status))])
            found.token = str(at + 1) if at + 1 < len(known) else None
            return found

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=Client))
    logger = Recorder()
    known = partial(tracking._in_mlflow, "sqlite:///here", "s")
    tracking.Tracker(logger, Store(tmp_path), tmp_path / "mlflow", known).track(runs)
    assert [told[0] for told in logger.told if len(told) == 3 and told != "end"] == runs[1:]
    assert list(tracking._in_mlflow("sqlite:///here", "another")) == []


@pytest.mark.usefixtures("local_ray")
def test_models_that_were_stored_before_get_their_run(tiny_npz: Path, tmp_path: Path) -> None:
    """By a sweep that did not track, or was killed; where nothing is left to train as well."""
    study, jobs = tiny(tiny_npz)
    cost, store, say = cost_by(), Store(tmp_path), lambda _: None
    two = [replace(job, members=job.members[:1]) for job in jobs[:2]]
    sweep(study, two, cost, store, Options(), say)
    state = sweep(study, jobs, cost, store, Options(track="tensorboard"), say)
    folder = tmp_path / "tensorboard"
    assert len(state.finished) == 8
    assert {path.name for path in folder.iterdir()} == state.finished
    shutil.rmtree(folder / min(state.finished))
    sweep(study, jobs, cost, store, Options(track="tensorboard"), say)
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
