"""Test that few trials train many batches, and that a loss costs one batch only, on a real Ray."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray import tune
from tiny import tiny

from jobs.execution import driver_cost, ray_trials
from jobs.execution import sweep as sweeping
from jobs.execution.driver_cost import Numbers
from jobs.execution.ray_trials import resource_request, run_trials
from jobs.execution.silence import Limits
from jobs.execution.sweep import Options, sweep
from jobs.execution.trial_source import Lost
from scaling.store.store import Store
from scaling.study import Job

SLOTS = 2


class Started(tune.Callback):
    """Count the trials that have started."""

    count = 0

    def on_trial_start(self, **_: Any) -> None:
        self.count += 1


def run(
    count: int, trainable: Callable[..., Any], out: Path
) -> tuple[list[Lost], list[str], Started]:
    """Train so many numbers; return those that were given up, what was printed, and the trials."""
    lost, said, started = list[Lost](), list[str](), Started()
    run_trials(
        trainable,
        Numbers(count),
        max_concurrent=SLOTS,
        resources=lambda _: resource_request("cpu"),
        predicted=lambda _: 1.0,
        arguments=lambda config: {"squared": config["number"] ** 2},
        store=Store(out),
        say=said.append,
        limits=Limits(),
        store_lost=lost.extend,
        callbacks=[started],
    )
    return lost, said, started


def noted(folder: Path) -> Counter[int]:
    """Return how often each number was noted, by any worker."""
    return Counter(
        int(line) for file in folder.iterdir() for line in file.read_text("utf-8").split()
    )


def noter(folder: Path) -> Callable[[int], int]:
    """Return a function that notes a number, and returns how many its worker has noted.

    It is made here, as workers cannot import this file.
    """
    folder.mkdir()

    def note(number: int) -> int:
        file = folder / str(os.getpid())
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{number}\n")
        return len(file.read_text("utf-8").split())

    return note


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_as_many_trials_as_slots_train_any_number_of_batches(tmp_path: Path, count: int) -> None:
    note = noter(tmp_path / "done")

    def trainable(config: dict[str, Any], squared: int, **_: Any) -> None:
        assert squared == config["number"] ** 2, "each is told its own"
        note(config["number"])

    lost, said, started = run(count, trainable, tmp_path / "out")
    assert (lost, said) == ([], [])
    assert noted(tmp_path / "done") == dict.fromkeys(range(count), 1)
    assert started.count <= SLOTS


@pytest.mark.usefixtures("local_ray")
def test_a_worker_killed_in_its_50th_batch_loses_that_one_only(tmp_path: Path) -> None:
    begin, end = noter(tmp_path / "begun"), noter(tmp_path / "done")

    def trainable(config: dict[str, Any], **_: Any) -> None:
        if begin(config["number"]) == 50:
            try:
                (tmp_path / "killed").touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
            except FileExistsError:
                pass
        end(config["number"])

    lost, said, started = run(150, trainable, tmp_path / "out")
    assert lost == []
    (line,) = said
    assert "its worker died" in line
    assert line.endswith("it is trained again")
    assert noted(tmp_path / "done") == dict.fromkeys(range(150), 1), "none is trained twice"
    begun = noted(tmp_path / "begun")
    assert sorted(begun.values()) == [1] * 149 + [2]
    assert started.count <= SLOTS + 1


@pytest.mark.usefixtures("local_ray")
def test_each_model_of_a_batch_that_is_given_up_has_a_row_with_the_reason(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_trials, "INFRASTRUCTURE_RETRIES", 1)
    real = sweeping.train_batch

    def trainable(config: dict[str, Any], jobs: Any, **rest: Any) -> Any:
        if config["batch"] == 1:
            raise RuntimeError(f"batch 1, try {config.get('tries', 1)}")
        return real(config, jobs=jobs, **rest)

    given: list[tuple[Job, ...]] = []

    def record(store: Store, study: str, batches: Any, *rest: Any) -> Any:
        given[:] = [tuple(planned.job for planned in batch.jobs) for batch in batches]
        return record_run(store, study, batches, *rest)

    record_run = sweeping.record_run
    monkeypatch.setattr(sweeping, "train_batch", trainable)
    monkeypatch.setattr(sweeping, "record_run", record)
    study, jobs = tiny(tiny_npz)
    state = sweep(study, jobs, Store(tmp_path), Options(cpus=SLOTS), lambda _: None)
    ours = {job.cell.run_id(member) for job in given[1] for member in job.members}
    assert ours == state.failures.keys()
    assert {row["kind"] for row in state.failures.values()} == {"infrastructure"}
    assert all("batch 1, try 2" in row["error"] for row in state.failures.values())
    assert len(state.finished) == 8 - len(ours) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.timeout(1200)
def test_a_batch_costs_the_driver_two_milliseconds_and_no_memory() -> None:
    """One after the other, so that what grows would show."""
    for count in (3_000, 30_000):
        found = driver_cost.measure(count)
        print(found)
        assert found.cpu_ms < 2
        assert found.kb * count < 20_000, "buffers of 5 to 10 MB, and the names of the models"
