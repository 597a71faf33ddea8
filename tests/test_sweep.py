"""A study on a real Ray: stores everything once, resumes after being killed, names failures."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import ray

from jobs import batches as batches_module
from jobs import cluster, overhead
from jobs.batches import Packed, make_batches, remaining
from jobs.studies import find_study
from jobs.sweep import Options, sweep
from jobs.training import cost_by
from scaling import datasets
from scaling.errors import InputError
from scaling.recipes import find_recipe
from scaling.store import State, Store
from scaling.study import Grid, Job, Study, make_members, resolve

RESULT = ["run_id", "epoch", "train_loss", "train_misses", "test_loss", "test_misses"]
LOCAL = Options(address="local", cpus=2)
cost = cost_by()


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """One Ray for all tests of this file; a sweep uses the Ray of its process."""
    with cluster.connected("local", 2):
        yield


def tiny(path: Path, **changes: object) -> tuple[Study, tuple[Job, ...]]:
    grid = Grid(
        dataset=(str(path),), n_train=(30, 60), recipe=("1989", "ce"), epochs=(3,), seeds=(0, 1)
    )
    study = Study(name="tiny", question="?", grids=(replace(grid, **changes),))  # type: ignore[arg-type]
    return study, resolve(study, datasets.find)


def run(study: Study, jobs: tuple[Job, ...], out: Path, options: Options = LOCAL) -> State:
    return sweep(study, jobs, cost, Store(out), options, lambda _: None)


def table(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "metrics").sort_values(["run_id", "epoch"], ignore_index=True)


def test_a_sweep_stores_every_model_once_and_a_second_trains_nothing(
    local_ray: None,  # noqa: ARG001
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
    again = sweep(study, jobs, cost, Store(out), LOCAL, said.append)
    assert again.finished == state.finished
    assert {p: p.stat().st_mtime_ns for p in (out / "metrics").iterdir()} == stamps
    assert "nothing to train" in said[-1]
    (record,) = [json.loads(path.read_text()) for path in (out / "runs").iterdir()]
    assert (record["models"], record["cpus"], record["wall_s"] > 0) == (8, 2, True)
    counts = state.count(Store(out).read_plans()["tiny"])
    assert counts == {"cells": 4, "finished": 4, "failed": 0, "missing": 0}


def test_a_larger_study_trains_only_what_is_new(
    local_ray: None,  # noqa: ARG001
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


def test_folders_may_be_named_from_where_the_user_is(
    local_ray: None,  # noqa: ARG001
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


def test_a_torn_file_is_trained_again(
    local_ray: None,  # noqa: ARG001
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
    assert not state.torn
    assert len(state.finished) == 4
    pd.testing.assert_frame_equal(table(tmp_path)[RESULT], before)


def test_a_numeric_failure_is_stored_final_and_retried_on_request(
    local_ray: None,  # noqa: ARG001
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


def test_an_infrastructure_failure_is_named_and_trained_next_time(
    local_ray: None,  # noqa: ARG001
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
    assert "read_bytes" in failure["traceback"]  # where it happened
    assert "\x1b" not in failure["traceback"]
    assert len(run(study, jobs, tmp_path / "out").finished) == 4


def test_a_gpu_study_on_a_cluster_without_gpus_is_refused_at_once(
    local_ray: None,  # noqa: ARG001
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


def test_a_local_folder_on_several_nodes_is_refused_unless_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}, {"Alive": True}, {"Alive": False}])
    with pytest.raises(InputError, match=r"2 nodes.*--shared-fs"):
        cluster.check_shared("out", is_local=True, shared_fs=False)
    cluster.check_shared("out", is_local=True, shared_fs=True)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}])
    cluster.check_shared("out", is_local=True, shared_fs=False)
    with pytest.raises(InputError, match=r"autoscaler.*--shared-fs"):
        cluster.check_shared("out", is_local=True, shared_fs=False, grows=True)
    cluster.check_shared("s3://bucket", is_local=False, shared_fs=False)


def test_a_cluster_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(**_: object) -> None:
        raise ConnectionError("refused\nby host")

    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(InputError, match=r"127.0.0.1:1.*ray start --head") as error,
        cluster.connected("127.0.0.1:1"),
    ):
        pass
    assert "\n" not in str(error.value)


def test_batches_hold_every_model_once_and_the_longest_come_first(tiny_npz: Path) -> None:
    _, jobs = tiny(tiny_npz, n_train=(30, 60, 120, 240), seeds=tuple(range(7)))
    batches = make_batches(jobs, cost, slots=2)
    runs = [j.cell.run_id(m) for b in batches for j in b.jobs for m in j.members]
    assert sorted(runs) == sorted(j.cell.run_id(m) for j in jobs for m in j.members)
    seconds = [batch.seconds for batch in batches]
    assert seconds == sorted(seconds, reverse=True)
    assert len(batches) >= 4
    largest_model = max(cost(j) / len(j.members) for j in jobs)
    assert max(seconds) <= max(sum(seconds) / 8, largest_model) * 1.001


def test_a_trial_unpacks_its_own_batch_and_no_other(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, jobs = tiny(tiny_npz, seeds=tuple(range(7)))
    batches = make_batches(jobs, cost, slots=2)
    packed = pickle.loads(pickle.dumps(Packed(batches)))
    assert list(packed) == list(batches)
    monkeypatch.delattr(batches_module, "Batch")  # unpacking one needs its class
    with pytest.raises(AttributeError):
        packed[1]
    assert len(pickle.loads(pickle.dumps(packed))) == len(batches) > 3


def test_long_models_are_batches_of_their_own() -> None:
    job = resolve(find_study("quickstart"), lambda _: ("mnist", datasets.describe("mnist")))[0]
    many = replace(job, members=make_members(job.cell.recipe, range(9)))
    batches = make_batches([many], lambda j: 100.0 * len(j.members), slots=2)
    assert [batch.n_models for batch in batches] == [1] * 9


def test_models_in_lock_step_stay_together_unless_slots_would_idle() -> None:
    (job, *_) = resolve(find_study("quickstart"), lambda _: ("mnist", datasets.describe("mnist")))
    many = replace(job, members=make_members(job.cell.recipe, range(40)))

    def sizes(slots: int, seconds: float = 10.0, together: int = 16) -> list[int]:
        batches = make_batches(
            [many], lambda j: seconds * len(j.members), slots, lambda _: together
        )
        return [batch.n_models for batch in batches]

    assert sizes(slots=2) == sizes(slots=2, seconds=0.1) == [20, 20]  # 16 at least
    assert sizes(slots=8) == [5] * 8
    assert sizes(slots=1, seconds=0.1, together=1) == [10] * 4
    assert max(sizes(slots=2, together=1)) == 3  # 30 s at most


def test_what_is_stored_is_taken_out(tiny_npz: Path) -> None:
    _, jobs = tiny(tiny_npz)
    done = {jobs[0].cell.run_id(m) for m in jobs[0].members} | {
        jobs[1].cell.run_id(jobs[1].members[0])
    }
    left = remaining(jobs, done)
    assert len(left) == 3
    assert [m.seed for m in left[0].members] == [1]


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(tiny_npz: Path, tmp_path: Path) -> None:
    """kill -9 of the driver, as the contract says: identical to an undisturbed run."""
    grid = ["--dataset", str(tiny_npz), "--n-train", "280", "--epochs", "16", "--seeds", "4"]
    words = ["sweep", "quickstart", "--address", "local", "--cpus", "2", *grid]
    command = [sys.executable, "-m", "jobs.sweep", *words[1:], "--out"]
    env = os.environ | {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    cut = tmp_path / "cut"
    with subprocess.Popen([*command, str(cut)], env=env, stderr=subprocess.DEVNULL) as driver:
        deadline = time.monotonic() + 120
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def ray_head() -> Iterator[tuple[str, str]]:
    """`ray start --head` as a user would, without our settings; its address and dashboard."""
    port, dashboard, agent = free_port(), free_port(), free_port()
    command = [Path(sys.executable).parent / "ray", "start", "--head", "--block", "--num-cpus=2"]
    options = [f"--port={port}", f"--dashboard-port={dashboard}", "--object-store-memory=80000000"]
    options.append(f"--dashboard-agent-listen-port={agent}")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCALING_")}
    with (
        tempfile.TemporaryDirectory(prefix="r") as short,  # socket paths hold 107 characters
        subprocess.Popen(
            [*command, *options],
            env=clean | {"RAY_TMPDIR": short, "RAY_AUTH_MODE": "disabled"},
            stdout=subprocess.DEVNULL,
        ) as head,
    ):
        try:
            deadline = time.monotonic() + 90
            while not all(map(answers, (port, dashboard, agent))):
                assert head.poll() is None, "ray start ended"
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}"
        finally:
            head.terminate()
            head.wait(30)


def test_it_joins_a_cluster_that_runs(
    ray_head: tuple[str, str], tiny_npz: Path, tmp_path: Path
) -> None:
    """The workers of that cluster get the settings that only the driver has."""
    words = ["sweep", "quickstart", "--address", ray_head[0], "--out", tmp_path / "out"]
    grid = ["--dataset", tiny_npz, "--n-train", "30", "--epochs", "2", "--seeds", "1"]
    done = subprocess.run(
        [Path(sys.executable).parent / "scaling", *words, *grid],
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "on the Ray cluster at" in done.stdout
    assert len(list((tmp_path / "out" / "metrics").iterdir())) == 2


def test_the_overhead_of_ray_is_a_share_of_cores_and_time(
    local_ray: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overhead, "TRIALS_PER_SLOT", 1)
    found = overhead.sweep_overhead(us=10.0, seconds=0.01)
    assert (found.trials, found.slots) == (2, 2), "every model is a trial of its own"
    assert 0 < found.running < found.overhead < 1
    assert found.start_s > 0
    assert found.trial_s > 0


def test_tiny_cells_are_swept_and_trained_in_a_plain_loop(
    local_ray: None,  # noqa: ARG001
) -> None:
    found = overhead.tiny_cells(cells=3)
    assert found.cells == 3
    assert 0 < found.loop < found.stored
    assert found.share == pytest.approx(1 - found.loop / (2 * found.wall))
    driver, head = overhead.peak_mb()
    assert driver is None or (driver > 50 and head)
