"""What Ray costs is measured as shares of cores and time."""

import pytest

from jobs import overhead


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
def test_tiny_cells_are_swept_and_trained_in_a_plain_loop() -> None:
    found = overhead.tiny_cells(cells=3)
    assert found.cells == 3
    assert 0 < found.loop < found.stored
    assert found.share == pytest.approx(1 - found.loop / (2 * found.wall))
    driver, head = overhead.peak_mb()
    assert driver is None or (driver > 50 and head)
