"""Test killed nodes, workers and drivers: every model is stored once, bit for bit."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from raycluster import Driver, Nodes, assert_same, nodes, stored

from jobs.execution import capacity, ray_trials
from jobs.execution.sweep import Options, sweep
from jobs.planning.batches import Slots
from scaling.data import datasets
from scaling.errors import InputError
from scaling.store.store import State, Store
from scaling.study import Grid, Job, Study, resolve

MODELS = 12
# Some tenths of a second each, so that something is being trained whenever something is killed.
STUDY = ["quickstart", "--n-train", "280", "--epochs", "600", "--seeds", str(MODELS // 2)]


@pytest.fixture(scope="module")
def words(rows_npz: Path) -> list[str]:
    """What follows `scaling sweep`."""
    return [*STUDY, "--dataset", str(rows_npz)]


@pytest.fixture(scope="module")
def three() -> Iterator[Nodes]:
    with nodes(3) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(three: Nodes, words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    driver = Driver(three.address, words, out)
    said = driver.said()
    assert driver.process.returncode == 0, said
    assert len(stored(out)) == MODELS
    return out


def test_a_node_and_a_worker_are_lost_and_nothing_else(
    three: Nodes, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    driver = Driver(three.address, words, tmp_path / "out")
    driver.until_stored(1)
    driver.until(lambda: three.trials(1) and three.trials(2))
    os.kill(three.trials(1)[0], signal.SIGKILL)
    three.remove(2)
    assert len(stored(tmp_path / "out")) < MODELS, "nothing was left to be disturbed"
    said = driver.said()
    assert driver.process.returncode == 0, said
    assert_same(tmp_path / "out", undisturbed)


def test_a_driver_is_killed_and_the_command_repeated(
    three: Nodes, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    driver = Driver(three.address, words, tmp_path / "out")
    driver.until_stored(1)
    driver.kill()
    before = {path.name: path.stat().st_mtime_ns for path in stored(tmp_path / "out")}
    assert len(before) < MODELS, "nothing was left to be disturbed"
    again = Driver(three.address, words, tmp_path / "out")
    said = again.said()
    assert again.process.returncode == 0, said
    after = {path.name: path.stat().st_mtime_ns for path in stored(tmp_path / "out")}
    assert before.items() <= after.items(), "what was stored is not trained again"
    assert_same(tmp_path / "out", undisturbed)


def test_a_raylet_is_killed(
    three: Nodes, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    driver = Driver(three.address, words, tmp_path / "out")
    driver.until_stored(1)
    last = len(three.raylets) - 1
    driver.until(lambda: three.trials(last))
    three.kill_raylet(last)
    said = driver.said()
    three.remove(last)
    assert driver.process.returncode == 0, said
    assert_same(tmp_path / "out", undisturbed)


@pytest.fixture
def two_models(rows_npz: Path) -> tuple[Study, tuple[Job, ...]]:
    grid = Grid(
        dataset=(str(rows_npz),), n_train=(30,), recipe=("1989",), epochs=(2,), seeds=(0, 1)
    )
    study = Study(name="two", question="?", grids=(grid,))
    return study, resolve(study, datasets.find)


def sweep_here(two_models: tuple[Study, tuple[Job, ...]], out: Path) -> State:
    options = Options(address="local", cpus=2)
    return sweep(*two_models, Store(out), options, lambda _: None)


@pytest.mark.usefixtures("local_ray")
def test_a_model_that_cannot_be_stored_is_named_and_trained_by_the_same_command(
    two_models: tuple[Study, tuple[Job, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (job,) = two_models[1]
    first, second = map(job.cell.run_id, job.members)
    monkeypatch.setattr(ray_trials, "INFRASTRUCTURE_RETRIES", 0)  # they are not what is asked here
    obstacle = tmp_path / "metrics" / f"{first}.parquet"
    obstacle.mkdir(parents=True)
    state = sweep_here(two_models, tmp_path)
    assert state.finished == {second}
    assert state.failed(first, "infrastructure")
    assert "cannot be written" in state.failures[first]["error"]
    obstacle.rmdir()
    assert sweep_here(two_models, tmp_path).finished == {first, second}


@pytest.mark.usefixtures("local_ray")
def test_when_nothing_can_be_written_the_sweep_ends_in_one_line_and_goes_on_later(
    two_models: tuple[Study, tuple[Job, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is lost after the sweep has begun: not even failures can be noted."""
    slots, parts = capacity.cluster_slots, tmp_path / ".part"

    def lose(*asked: Any) -> Slots:
        parts.rmdir()
        parts.write_text("a file where the folder should be")
        return slots(*asked)

    monkeypatch.setattr(capacity, "cluster_slots", lose)
    monkeypatch.setattr(ray_trials, "INFRASTRUCTURE_RETRIES", 0)
    with pytest.raises(InputError, match=r"cannot be written.*run the same command again") as error:
        sweep_here(two_models, tmp_path)
    assert "\n" not in str(error.value)
    assert not stored(tmp_path)
    monkeypatch.undo()
    parts.unlink()
    state = sweep_here(two_models, tmp_path)
    assert len(state.finished) == 2
    assert not state.failures
