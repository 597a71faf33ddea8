"""Test the progress line: silent for short work, an estimate for long work."""

import pytest

from scaling import progress
from scaling.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day, in a list so that a test can move it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1:00 min"), (754, "12:34 min"), (7500, "2:05 h")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_quick_leaves_no_line_in_a_log(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("work", 2) as bar:
        bar.advance(1)
        clock[0] += 1
        bar.advance(1)
    assert capsys.readouterr().err == ""


def test_the_estimate_goes_by_the_pace_since_the_first_work(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("work", 11) as bar:
        clock[0] += 30  # start-up, which says nothing about the pace
        bar.advance(1, "first")
        for _ in range(4):
            clock[0] += 15
            bar.advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "work: first, 30 s elapsed"
    assert lines[-1] == "work: 45%, 1:30 min elapsed, about 1:30 min to go"


def test_a_log_gets_a_line_now_and_then_and_the_last(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("work", 100) as bar:
        for _ in range(100):
            clock[0] += 1
            bar.advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert 5 <= len(lines) <= 9
    assert lines[-1] == "work: 100%, 1:40 min elapsed"
