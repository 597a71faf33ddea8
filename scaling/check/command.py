"""The command `check`: its arguments, its lines, its JSON and its exit status."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scaling import engines
from scaling.cache import cache_dir
from scaling.check.plan import tasks
from scaling.check.runner import Report, run
from scaling.check.verdict import last_lines, summary
from scaling.errors import InputError
from scaling.progress import Progress, duration

BUDGET_S = 300.0  # less than six minutes with the grace period of a hanging task


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Add the command's options; the last two are for tests."""
    p.add_argument("--device", choices=engines.DEVICES, default="cpu")
    p.add_argument("--json", metavar="FILE", help="write the figures here, not to the cache")
    p.add_argument("--budget", type=float, default=BUDGET_S, help=argparse.SUPPRESS)
    p.add_argument("--only", nargs="+", help=argparse.SUPPRESS)


def check(a: argparse.Namespace) -> int:
    """Check within six minutes the weights and the speed of every engine on this machine."""
    here = engines.resolve_device(a.device)
    path = _writable(a.json, a.device)
    groups = tasks(a.device)
    if a.only:
        groups = [[task for task in group if task.name in a.only] for group in groups]
    started, reports = time.monotonic(), list[Report]()
    result: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": a.device,
        "stands_in": here if here != a.device else None,  # SCALING_FAKE_GPU=1
        "budget_s": a.budget,
    }

    def write() -> None:
        found = (
            result | {"seconds": round(time.monotonic() - started, 1)} | summary(reports, a.device)
        )
        body = json.dumps(found | {"tasks": [r.as_plain() for r in reports]}, indent=1)
        path.write_text(body, encoding="utf-8")

    with _folder() as folder, Progress("check", sum(t.usual for g in groups for t in g)) as bar:
        bar.say(f"check on {a.device}, {duration(a.budget)} at most")

        def each(report: Report, case: dict[str, Any]) -> None:
            if text := case.get("problem") or case.get("text"):  # neither if no time was left
                bar.say(f"{case['status']:7} {report.task.name}: {case['case']}: {text}")

        for report in run(groups, folder, a.device, a.budget, each):
            reports.append(report)
            if report.status == "failed" and report.problem:
                bar.say(f"failed  {report.task.name}: {report.problem}")
            bar.advance(report.task.usual, report.task.name)
            write()  # the figures so far survive a crash
    write()
    lines = last_lines(
        reports,
        a.device,
        stands_in=here != a.device,
        seconds=time.monotonic() - started,
        path=path,
    )
    sys.stdout.write(lines)
    return 0 if summary(reports, a.device)["fit"] else 1


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a temporary folder for this check. Raises InputError if it cannot be made."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="scaling-check-")
    except OSError as error:
        raise InputError(
            f"no temporary folder can be made ({error}): name one of yours in TMPDIR"
        ) from error
    with folder as name:
        yield Path(name)


def _writable(named: str | None, device: str) -> Path:
    """Return the path for the figures. Raises InputError if it cannot be written."""
    path = Path(named) if named else cache_dir() / f"check-{device}.json"
    try:
        if not named:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): name another file by --json"
        ) from error
    return path
