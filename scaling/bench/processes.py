"""Measurements in other processes: the start of a new one, and the gain by a second one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import scaling
from scaling.bench.rounds import Spread
from scaling.engines import available_cores

CHILD = (sys.executable, "-P", "-m", "scaling.bench.child")  # -P: nothing of the current folder


def first_call_s(engine: str, recipe: str) -> float:
    """Return the seconds in which a new process trains its first model at width 1.

    The time begins with the first call of the engine; kernels are cached, and modules imported.
    """
    done = subprocess.run(
        [*CHILD, "first", engine, recipe],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=_environment(),
    )
    return float(done.stdout)


def two_workers(engine: str, recipe: str, rounds: int, seconds: float) -> Spread | None:
    """Return the ratio of examples per second of two processes to one; None on a single core.

    It is measured by the wall clock, in rounds of one process and of both, `seconds` each. On busy
    cores it shows how much of them is free.
    """
    if available_cores() < 2:
        return None
    gains = []
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(engine, recipe)) for _ in range(2)]
        for number in range(rounds):
            alone = _rate([workers[number % 2]], seconds)
            gains.append(_rate(workers, seconds) / alone)
    return Spread.of(gains)


def _environment() -> dict[str, str]:
    """Return the variables of a process that has one core and this code."""
    paths = [str(Path(scaling.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    ours = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return {**os.environ, **ours}


def _rate(workers: list["subprocess.Popen[str]"], seconds: float) -> float:
    """Return the examples per second of these workers together."""
    for worker in workers:
        assert worker.stdin
        worker.stdin.write(f"{seconds}\n")
        worker.stdin.flush()
    return sum(float(_answer(worker)) for worker in workers)


@contextmanager
def _worker(engine: str, recipe: str) -> Iterator["subprocess.Popen[str]"]:
    """Yield a warmed-up process; it ends when its input is closed."""
    command = [*CHILD, "work", engine, recipe]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    ) as process:
        _answer(process)
        yield process


def _answer(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"a worker of the benchmark died: {' '.join(map(str, worker.args))}")  # type: ignore[arg-type]
    return line
