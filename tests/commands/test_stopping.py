"""Test that signals end a command in one line, with nothing left behind, in every phase."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from filelock import FileLock
from honest import run

LAST = "run the same command again to go on"


def _hear_ctrl_c() -> None:
    """Take SIGINT as on a terminal; a shell lets what it starts with & ignore it (POSIX)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Command:
    """A command in a session of its own."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_hear_ctrl_c,
        )

    def family(self) -> dict[int, str]:
        """Return the processes that it started, and those that they did, with their commands."""
        listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid=,args="], capture_output=True)
        rows = [line.split(maxsplit=2) for line in listed.stdout.decode().splitlines()]
        found, parents = dict[int, str](), [str(self.process.pid)]
        for parent in parents:  # it grows
            mine = [row for row in rows if row[0] == parent]
            found |= {int(row[1]): " ".join(row[2:]) for row in mine}
            parents += [row[1] for row in mine]
        return found

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 240
        while not holds():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def until_loaded(self, library: str) -> None:
        maps = Path(f"/proc/{self.process.pid}/maps")
        self.until(lambda: library in maps.read_text(encoding="utf-8"))

    def until_training(self) -> None:
        self.until(lambda: any("ImplicitFunc" in args for args in self.family().values()))

    def end(self, *signals: signal.Signals) -> list[str]:
        """Send these signals; return all lines, once it has ended and left nothing behind."""
        family = self.family()
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.5)
        try:
            said = self.process.communicate(timeout=120)[0].splitlines()
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"it goes on: {self.process.communicate()[0]}")
        deadline = time.monotonic() + 60
        while left := [args for pid, args in family.items() if lives(pid)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.2)
        return said


def sweeping(npz: Path, out: Path, epochs: int = 20000) -> Command:
    """Begin a sweep on a Ray of its own."""
    words = ["sweep", "quickstart", "--dataset", npz, "--n-train", "280", "--seeds", "2"]
    return Command(*words, "--epochs", epochs, "--address", "local", "--cpus", "2", "--out", out)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2][1] != "Z"
    except OSError:
        return False


def assert_stopped(command: Command, said: Sequence[str], status: int) -> None:
    assert command.process.returncode == status, said
    assert not any("Traceback" in line or "***" in line for line in said), said
    assert said[-1].startswith("scaling: stopped: "), said
    assert said[-1].endswith(LAST)


def test_a_signal_while_the_command_is_imported(tiny_npz: Path, tmp_path: Path) -> None:
    command = sweeping(tiny_npz, tmp_path / "out")
    command.until_loaded("numpy")  # it has begun to import
    assert_stopped(command, command.end(signal.SIGTERM), 143)


def test_a_signal_while_it_trains_and_the_folder_is_free_again(
    tiny_npz: Path, tmp_path: Path
) -> None:
    command = sweeping(tiny_npz, tmp_path / "out")
    command.until_training()
    said = command.end(signal.SIGINT)
    assert_stopped(command, said, 130)
    assert f"0 of 4 models are stored in {tmp_path / 'out'}" in said[-1]
    with FileLock(tmp_path / "out" / ".lock", timeout=0):
        pass


@pytest.mark.slow
def test_sigterm_while_it_trains_counts_what_is_stored(tiny_npz: Path, tmp_path: Path) -> None:
    command = sweeping(tiny_npz, tmp_path / "out", epochs=1500)
    command.until(lambda: len(list((tmp_path / "out" / "metrics").glob("*.parquet"))) >= 1)
    said = command.end(signal.SIGTERM)
    stored = len(list((tmp_path / "out" / "metrics").glob("*.parquet")))
    assert_stopped(command, said, 143)
    assert f"{stored} of 4 models are stored" in said[-1]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["ImplicitFunc", "raylet/raylet", "gcs_server"])
def test_two_signals_end_it_also_where_a_part_of_ray_is_stopped(
    tiny_npz: Path, tmp_path: Path, which: str
) -> None:
    command = sweeping(tiny_npz, tmp_path / "out")
    command.until_training()
    for pid, args in command.family().items():
        if which in args:
            os.kill(pid, signal.SIGSTOP)
    assert_stopped(command, command.end(signal.SIGINT, signal.SIGINT), 130)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_report_is_drawn(
    tiny_npz: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    """No half file is left, and the same command finishes."""
    out = tmp_path / "out"
    words = ["--dataset", tiny_npz, "--n-train", "40", "--epochs", "2", "--seeds", "2"]
    assert run("train", *words, "--out", out) == 0
    before = files(out)
    command = Command("report", out)
    command.until_loaded("matplotlib/_path")
    assert_stopped(command, command.end(kind), 128 + kind)
    assert before <= files(out)
    assert not [name for name in files(out) - before if ".part" in name]
    assert run("report", out) == 0


def files(out: Path) -> set[str]:
    return {str(path) for path in out.rglob("*") if path.is_file()}
