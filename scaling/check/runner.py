"""Tasks as separate processes within a time budget: if one dies, the others go on."""

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
from scaling.check.child import UNUSABLE
from scaling.check.plan import Task
from scaling.engines import available_cores

GRACE_S = 30.0  # after a task's time is over, until it is killed
CHILD = (sys.executable, "-P", "-m", "scaling.check.child")  # -P: nothing of the current folder
LEAST_S = 3.0  # the time left that a task needs to start
POLL_S = 0.05
MOST_AT_ONCE = 8  # tasks; assumed: each takes up to 0.5 GB
LOG_CHARACTERS = 4000  # kept of the output of a dead task
NO_TIME = "not run: no time left"


@dataclass(slots=True, kw_only=True)
class Report:
    """The progress of a task; `problem` is of the task itself, not of a case."""

    task: Task
    status: str = "not run"
    seconds: float = 0.0
    cases: list[dict[str, Any]] = field(default_factory=list)
    problem: str | None = None
    log: str | None = None

    def as_plain(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        names = ("status", "seconds", "cases", "problem", "log")
        return {"task": self.task.name} | {name: getattr(self, name) for name in names}


def run(
    groups: Sequence[Sequence[Task]],
    folder: Path,
    device: str,
    budget: float,
    each: Callable[[Report, dict[str, Any]], None],
) -> Iterator[Report]:
    """Yield the report of each task when it ends; `each` receives every case before that."""
    deadline = time.monotonic() + budget
    for group in groups:
        shared = all(task.shared for task in group)
        at_once = min(available_cores(), MOST_AT_ONCE) if shared else 1
        waiting, running = list(group), list[_Process]()
        try:
            while waiting or running:
                left = deadline - time.monotonic()
                if waiting and left < LEAST_S:
                    yield from (Report(task=task, problem=NO_TIME) for task in waiting)
                    waiting = []
                elif waiting and len(running) < at_once:
                    task = waiting.pop(0)
                    report = Report(task=task, status="begun")
                    running.append(_Process(report, folder, device, min(task.most, left)))
                for process in list(running):
                    for case in process.new_cases():
                        each(process.report, case)
                    if process.has_ended():
                        running.remove(process)
                        for case in process.finish():
                            each(process.report, case)
                        left = min(process.seconds_left(), deadline - time.monotonic())
                        if process.resumes and left > LEAST_S:
                            running.append(_Process(process.report, folder, device, left))
                        else:
                            yield process.report
                time.sleep(POLL_S)
        finally:
            for process in running:
                process.kill()


class _Process:
    """A running task and its report so far. After a crash another process resumes the task."""

    def __init__(self, report: Report, folder: Path, device: str, seconds: float) -> None:
        self.report, self.resumes = report, False
        name = report.task.name.replace(" ", "_")
        self._events, self._log = folder / f"{name}.jsonl", folder / f"{name}.log"
        self._events.touch()
        self._read, self._begun = self._events.stat().st_size, ""
        self._started = time.monotonic()
        self._until, self._shortened = self._started + seconds, seconds < report.task.most
        self._stopped = ""
        paths = [str(Path(scaling.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),  # independent of the current folder
            "PYTHONFAULTHANDLER": "1",
            "SCALING_CACHE_DIR": str(folder / "cache"),  # kernels of this check alone
            "OMP_NUM_THREADS": "1",
        }
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [*CHILD, str(self._events), str(folder), str(seconds), device, *report.task.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # so that its children are killed with it
            )

    def new_cases(self) -> list[dict[str, Any]]:
        """Return the cases that ended since the last call."""
        with self._events.open(encoding="utf-8") as file:
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

    def seconds_left(self) -> float:
        """Return the seconds left for the task."""
        return self._until - time.monotonic()

    def has_ended(self) -> bool:
        """Return whether the task has ended; kill it if it is overdue."""
        if self._process.poll() is None and self.seconds_left() < -GRACE_S:
            self.kill()
            self._stopped = f"stopped after {time.monotonic() - self._started:.0f} s"
        return self._process.poll() is not None

    def finish(self) -> list[dict[str, Any]]:
        """Complete the report; return the last cases, including one that killed the process."""
        cases, report = self.new_cases(), self.report
        code = self._process.returncode
        ending = self._stopped or f"died: {_ending(code)}"
        if code and self._begun:
            log = self._log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
            # A task with less than its full time may only have been slow.
            status = "not run" if self._stopped and self._shortened else "failed"
            lost = {"case": self._begun, "status": status, "problem": ending, "log": log}
            cases.append(lost)
            report.cases.append(lost)
        elif code and code != UNUSABLE and not (self._stopped and self._shortened):
            report.problem = ending
            report.log = self._log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]
        elif not code and not report.cases:
            report.problem = "it reported no case"
        self.resumes = bool(code and (self._begun or code == UNUSABLE) and not self._stopped)
        failed = report.problem or any(case["status"] == "failed" for case in report.cases)
        held = any(case["status"] == "ok" for case in report.cases)
        report.status = "failed" if failed else "ok" if held else "not run"
        report.seconds = round(report.seconds + time.monotonic() - self._started, 2)
        return cases

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
