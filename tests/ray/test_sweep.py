"""Test a study on a real Ray: it stores every model once, resumes, and names failures."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from honest import verified
from tiny import tiny

from jobs.execution.sweep import Options, sweep
from scaling.data import datasets
from scaling.errors import InputError
from scaling.recipes.registry import find_recipe
from scaling.store.store import State, Store
from scaling.study import Job, Start, Study, resolve

RESULT = ["run_id", "epoch", "train_loss", "train_misses", "test_loss", "test_misses"]
LOCAL = Options(address="local", cpus=2)


def run(study: Study, jobs: tuple[Job, ...], out: Path, options: Options = LOCAL) -> State:
    return sweep(study, jobs, Store(out), options, lambda _: None)


def table(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "metrics").sort_values(["run_id", "epoch"], ignore_index=True)


@pytest.mark.usefixtures("local_ray")
def test_a_sweep_stores_every_model_once_and_a_second_trains_nothing(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    study, jobs = tiny(tiny_npz)
    out = tmp_path / "out"
    said: list[str] = []
    state = run(study, jobs, out, replace(LOCAL, track="tensorboard"))
    assert len(state.finished) == 8
    assert {path.name for path in (out / "tensorboard").iterdir()} == state.finished
    stamps = {p: p.stat().st_mtime_ns for p in (out / "metrics").iterdir()}
    again = sweep(study, jobs, Store(out), LOCAL, said.append)
    assert again.finished == state.finished
    assert {p: p.stat().st_mtime_ns for p in (out / "metrics").iterdir()} == stamps
    assert "nothing to train" in said[-1]
    (record,) = [json.loads(path.read_text()) for path in (out / "runs").iterdir()]
    assert (record["models"], record["cpus"], record["wall_s"] > 0) == (8, 2, True)
    counts = state.count(Store(out).read_plans()["tiny"])
    assert counts == {"cells": 4, "finished": 4, "failed": 0, "missing": 0}


@pytest.mark.usefixtures("local_ray")
def test_models_that_begin_on_others_are_verified(
    rows_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = Start(dataset=str(rows_npz), n_train=50, recipe="1989")
    study, jobs = tiny(rows_npz, start=start, recipe=("1989",), n_train=(30,))
    out = tmp_path / "out"
    run(study, jobs, out)
    status, found = verified(capsys, out)
    assert (status, found["findings"], len(found["equal"])) == (0, [], 2)


@pytest.mark.usefixtures("local_ray")
def test_a_larger_study_trains_only_what_is_new(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    small, large = tiny(tiny_npz, n_train=(30,)), tiny(tiny_npz)
    run(*small, tmp_path / "out")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "metrics").iterdir()}
    run(*large, tmp_path / "out")
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "metrics").iterdir()}
    assert len(before) == 4
    assert len(after) == 8
    assert all(after[name] == stamp for name, stamp in before.items())
    run(*large, tmp_path / "at-once")
    pd.testing.assert_frame_equal(
        table(tmp_path / "out")[RESULT], table(tmp_path / "at-once")[RESULT]
    )


@pytest.mark.usefixtures("local_ray")
def test_folders_may_be_named_from_where_the_user_is(
    tiny_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trials work in folders of their own, where a relative name leads nowhere."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    for name, value in (("SCALING_CACHE_DIR", "cache"), ("SCALING_DATA_DIR", "data")):
        monkeypatch.setenv(name, value)
    study, jobs = tiny(tiny_npz, n_train=(30,), recipe=("1989",))
    strokes = resolve(study.override(dataset=("strokes",), n_test=(100,)), datasets.find)
    assert len(run(study, (*jobs, *strokes), Path("out")).finished) == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "data", "out", "rows.npz"]


@pytest.mark.usefixtures("local_ray")
def test_a_torn_file_is_trained_again(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    study, jobs = tiny(tiny_npz, n_train=(30,))
    run(study, jobs, tmp_path)
    before = table(tmp_path)[RESULT]
    for kind in ("metrics", "predictions"):
        path = sorted((tmp_path / kind).iterdir())[0]
        path.write_bytes(path.read_bytes()[:50])
    state = run(study, jobs, tmp_path)
    assert not state.corrupt
    assert len(state.finished) == 4
    pd.testing.assert_frame_equal(table(tmp_path)[RESULT], before)


@pytest.mark.usefixtures("local_ray")
def test_a_numeric_failure_is_stored_final_and_retried_on_request(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    bad = replace(find_recipe("1989"), name="bad", activation="relu", output="linear", lr=1e4)
    study, jobs = tiny(tiny_npz, recipe=("1989", bad), n_train=(60,))
    state = run(study, jobs, tmp_path)
    assert len(state.finished) == 2
    assert {f["kind"] for f in state.failures.values()} == {"numeric"}
    counts = state.count(Store(tmp_path).read_plans()["tiny"])
    assert (counts["finished"], counts["failed"]) == (1, 1)
    stamps = [p.stat().st_mtime_ns for p in (tmp_path / "failures").iterdir()]
    run(study, jobs, tmp_path)
    assert [p.stat().st_mtime_ns for p in (tmp_path / "failures").iterdir()] == stamps
    run(study, jobs, tmp_path, replace(LOCAL, retry_failed=True))
    retried = [p.stat().st_mtime_ns for p in (tmp_path / "failures").iterdir()]
    assert len(retried) == 2
    assert all(new > old for new, old in zip(sorted(retried), sorted(stamps), strict=True))


@pytest.mark.usefixtures("local_ray")
def test_an_infrastructure_failure_is_named_and_trained_next_time(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    """The data file vanishes from one cell's node: its models fail, the others are stored."""
    study, jobs = tiny(tiny_npz, n_train=(30,))
    lost = replace(jobs[1], source=str(tmp_path / "lost.npz"))
    state = run(study, (jobs[0], lost), tmp_path / "out")
    assert len(state.finished) == 2
    assert len(state.failures) == 2
    failure = next(iter(state.failures.values()))
    assert failure["kind"] == "infrastructure"
    assert "lost.npz" in failure["error"]
    assert "train_job" in failure["traceback"]  # where it happened
    assert "\x1b" not in failure["traceback"]
    assert len(run(study, jobs, tmp_path / "out").finished) == 4


@pytest.mark.usefixtures("local_ray")
def test_a_gpu_study_on_a_cluster_without_gpus_is_refused_at_once(
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    study, jobs = tiny(tiny_npz)
    with pytest.raises(InputError, match="no GPU"):
        run(study, jobs, tmp_path, replace(LOCAL, device="cuda"))


def test_two_sweeps_do_not_write_to_the_same_folder(tiny_npz: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    study, jobs = tiny(tiny_npz)
    Store(tmp_path).check_writable()
    with FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="another sweep"):
        run(study, jobs, tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_folder_without_locks_is_refused_in_a_line(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As some mounts of NFS answer."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    study, jobs = tiny(tiny_npz)
    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(InputError, match=r"cannot be locked \(.*--out"):
        run(study, jobs, tmp_path)


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(tiny_npz: Path, tmp_path: Path) -> None:
    """kill -9 of the driver, as the contract says: identical to an undisturbed run."""
    grid = ["--dataset", str(tiny_npz), "--n-train", "280", "--epochs", "16", "--seeds", "4"]
    words = ["sweep", "quickstart", "--address", "local", "--cpus", "2", *grid]
    command = [sys.executable, "-m", "jobs.sweep", *words[1:], "--out"]
    env = os.environ | {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    cut = tmp_path / "cut"
    with subprocess.Popen([*command, str(cut)], env=env, stderr=subprocess.DEVNULL) as driver:
        deadline = time.monotonic() + 240
        while not (stored := list((cut / "metrics").glob("*.parquet"))):
            assert driver.poll() is None, "ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        driver.send_signal(signal.SIGKILL)
    assert 0 < len(stored) < 8
    stamps = {p.name: p.stat().st_mtime_ns for p in stored}
    for out in (cut, tmp_path / "whole"):
        done = subprocess.run([*command, str(out)], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    after = {p.name: p.stat().st_mtime_ns for p in (cut / "metrics").iterdir()}
    assert all(after[name] == stamp for name, stamp in stamps.items())
    pd.testing.assert_frame_equal(table(cut)[RESULT], table(tmp_path / "whole")[RESULT])
