"""Test the cost of Ray, as shares of cores and time."""

import time
from types import SimpleNamespace

import pytest

from jobs.execution import overhead
from scaling.store.store import Store
from scaling.study import Job


@pytest.mark.usefixtures("local_ray")
def test_the_overhead_of_ray_is_a_share_of_cores_and_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overhead, "TRIALS_PER_SLOT", 1)
    found = overhead.sweep_overhead(us=10.0, seconds=0.01)
    assert (found.trials, found.slots) == (2, 2), "every model is a trial of its own"
    assert found.running < found.overhead < 1
    assert found.running == pytest.approx(1 - found.models_s * found.trial_s / found.slots)
    assert found.start_s > 0
    assert found.trial_s > 0


@pytest.mark.usefixtures("local_ray")
def test_tiny_cells_are_swept_and_trained_in_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves by 1 for a model of the plain loop, by 3 for one that is stored."""
    now, stores = [0.0], []
    plain, storing = overhead._train, overhead._train_and_store

    def train(job: Job) -> None:
        plain(job)
        now[0] += 1

    def train_and_store(job: Job, store: Store) -> None:
        storing(job, store)
        now[0] += 3
        stores.append(len(store.state().finished))

    monkeypatch.setattr(overhead, "_train", train)
    monkeypatch.setattr(overhead, "_train_and_store", train_and_store)
    clock = SimpleNamespace(perf_counter=lambda: now[0], time=time.time)
    monkeypatch.setattr(overhead, "time", clock)
    found = overhead.tiny_cells(cells=3)
    assert (found.cells, found.loop, found.stored) == (3, 3.0, 9.0)
    assert stores == [1, 2, 3]
    assert found.cell == pytest.approx((2 * found.wall - found.loop) / 3)
    assert found.share == pytest.approx(1 - found.loop / (2 * found.wall))
    driver, head = overhead.peak_mb()
    assert driver is None or (driver > 50 and head)
