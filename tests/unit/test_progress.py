"""Test the progress line: silent for short work, an estimate for long work."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from terminals import NOT_UTF8, in_terminal

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


WORK = """
import sys
from scaling import progress
from jobs.cli.terminal import printable
printable(sys.stdout, sys.stderr)
now = [0.0]
progress.time.monotonic = lambda: now[0]
with progress.Progress("work", 4) as bar:
    bar.say("first \u2265 [bold]")
    for done in range(1, 5):
        now[0] += 20
        bar.advance(1, f"{done} of 4 \u00d7 [bold]")
        if bar._live:
            bar._live.refresh()
        print(f"result {done}")
"""
LAST = "work: 4 of 4 × [bold], 1:20 min elapsed"


def test_a_terminal_shows_one_line_with_an_estimate_and_what_is_printed_above_it() -> None:
    text = in_terminal(WORK)
    assert "work: 2 of 4 × [bold], 40 s elapsed, about 40 s to go" in text
    assert text.index("first ≥ [bold]") < text.index("result 1") < text.index("result 4")
    assert "\x1b[2K" in text, "the line is rewritten"
    shown = re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", text.replace("\r\n", "\n"))
    assert shown.endswith(f"{LAST}\n"), "the last state stays"
    assert "\x1b[?25l" not in text, "a killed command would leave no cursor"


def test_results_go_to_their_file_while_the_line_is_on_the_terminal(tmp_path: Path) -> None:
    text = in_terminal(WORK, stdout=tmp_path / "out")
    assert LAST in text
    assert "result" not in text
    assert (tmp_path / "out").read_text().split("\n") == [*(f"result {n}" for n in range(1, 5)), ""]


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_a_terminal_that_takes_no_codes_gets_lines(variable: dict[str, str]) -> None:
    lines = in_terminal(WORK, **variable).split("\r\n")
    assert "work: 2 of 4 × [bold], 40 s elapsed, about 40 s to go" in lines
    assert lines[-3] == LAST
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_without_rich_a_terminal_gets_lines() -> None:
    text = in_terminal("import sys; sys.modules['rich'] = None\n" + WORK)
    assert LAST in text.split("\r\n")
    assert "\x1b" not in text


def test_a_terminal_that_is_not_utf8_gets_ascii() -> None:
    text = in_terminal(WORK, **NOT_UTF8)
    assert "work: 2 of 4 x [bold], 40 s elapsed, about 40 s to go" in text
    assert text.isascii()


def test_a_log_gets_no_codes_whatever_is_forced_and_imports_no_rich() -> None:
    code = f"{WORK}\nassert 'rich' not in sys.modules"
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "PATH": "", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], env=forced, capture_output=True, check=True)
    assert LAST in done.stderr.decode().splitlines()
    assert b"\x1b" not in done.stderr + done.stdout


def test_ray_can_pickle_what_a_terminal_shows() -> None:
    """Tune does so with its callbacks as it starts."""
    code = """
import pickle
from scaling.progress import Progress
with Progress("work", 2) as bar:
    bar.advance(1)
    assert bar._live and bar._live.is_started
    assert pickle.loads(pickle.dumps(bar)).done == 1
"""
    assert "work: 50%" in in_terminal(code)


def test_work_within_work_has_a_line_of_its_own() -> None:
    code = """
from scaling.progress import Progress
with Progress("outer", 2) as outer:
    outer.advance(1)
    with Progress("inner", 1) as inner:
        inner.advance(1)
        if inner._live:
            inner._live.refresh()
    outer.advance(1)
"""
    text = in_terminal(code)
    assert re.search(r"outer: 50%[^\n]*\n[^\n]*inner: 100%", text), "they share the screen"
    assert text.index("inner: 100%") < text.index("outer: 100%")
