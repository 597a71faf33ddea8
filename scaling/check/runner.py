"""Tasks as processes of their own, within a budget: whatever happens to one, the others go on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import scaling
from scaling.check.plan import Task
from scaling.engines import available_cores

GRACE_S = 30.0  # until a task that was to stop by itself is killed
LEAST_S = 3.0  # below that, a task is not begun
POLL_S = 0.05
LOG_CHARACTERS = 4000  # kept of what a task that died had printed
NO_TIME = "not run: no time left"


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a task so far; `problem` is one of the task itself, not of a case."""

    task: Task
    status: str = "not run"
    seconds: float = 0.0
    cases: list[dict[str, Any]] = field(default_factory=list)
    problem: str | None = None
    log: str | None = None

    def as_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        names = ("status", "seconds", "cases", "problem", "log")
        return {"task": self.task.name} | {name: getattr(self, name) for name in names}


def run(
    groups: Sequence[Sequence[Task]],
    folder: Path,
    device: str,
    budget: float,
    each: Callable[[Report, dict[str, Any]], None],
) -> Iterator[Report]:
    """Give the report of each task once it is over; `each` sees every case before that."""
    deadline = time.monotonic() + budget
    for group in groups:
        at_once = available_cores() if all(task.shared for task in group) else 1
        waiting, running = list(group), list[_Process]()
        try:
            while waiting or running:
                left = deadline - time.monotonic()
                if waiting and left < LEAST_S:
                    yield from (Report(task=task, problem=NO_TIME) for task in waiting)
                    waiting = []
                elif waiting and len(running) < at_once:
                    task = waiting.pop(0)
                    running.append(_Process(task, folder, device, min(task.most, left)))
                for process in list(running):
                    for case in process.news():
                        each(process.report, case)
                    if process.over():
                        running.remove(process)
                        for case in process.end():
                            each(process.report, case)
                        yield process.report
                time.sleep(POLL_S)
        finally:
            for process in running:
                process.kill()


class _Process:
    """A task that runs, and its report as far as it is."""

    def __init__(self, task: Task, folder: Path, device: str, seconds: float) -> None:
        self.report = Report(task=task, status="begun")
        name = task.name.replace(" ", "_")
        self._events, self._log = folder / f"{name}.jsonl", folder / f"{name}.log"
        self._events.touch()
        self._read, self._begun = 0, ""
        self._started = time.monotonic()
        self._killed_at = self._started + seconds + GRACE_S
        self._seconds = seconds
        paths = [str(Path(scaling.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),  # wherever the check was started
            "PYTHONFAULTHANDLER": "1",
            "SCALING_CACHE_DIR": str(folder / "cache"),  # kernels of this check alone
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "scaling.check.child", str(self._events), str(folder)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, str(seconds), device, *task.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # it is killed with whatever it started
            )

    def news(self) -> list[dict[str, Any]]:
        """The cases that are over since the last call."""
        with self._events.open() as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole.encode())
        events = [json.loads(line) for line in whole.splitlines()]
        for event in events:
            self._begun = event["case"] if event["status"] == "begun" else ""
        cases = [event for event in events if event["status"] != "begun"]
        self.report.cases += cases
        return cases

    def over(self) -> bool:
        """Whether it has ended; it is killed if it has not when it should have."""
        if self._process.poll() is None and time.monotonic() > self._killed_at:
            self.kill()
            self.report.problem = f"stopped after {self._seconds + GRACE_S:.0f} s"
        return self._process.poll() is not None

    def end(self) -> list[dict[str, Any]]:
        """The last cases; the report is complete after that."""
        cases, report = self.news(), self.report
        code = self._process.returncode
        if code and not report.problem:
            report.problem = f"died: {_ending(code)}"
        if report.problem and self._begun:
            report.problem += f" in the case {self._begun}"
        if not any(case["status"] in ("ok", "failed") for case in report.cases):
            report.problem = report.problem or "no case came to an end"
        if code:
            report.log = self._log.read_text(errors="replace")[-LOG_CHARACTERS:]
        failed = report.problem or any(case["status"] == "failed" for case in report.cases)
        report.status = "failed" if failed else "ok"
        report.seconds = round(time.monotonic() - self._started, 2)
        return cases

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
