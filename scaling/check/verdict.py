"""The verdict on a machine: fit, not fit, or undecided where an essential part did not run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.check.machine import PRECISION
from scaling.check.runner import Report
from scaling.progress import duration

NO_TIME, NO_OTHER = "no time left", "nothing to compare with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Essential:
    """A part of the check that must succeed in at least one case for the verdict `fit`."""

    name: str
    words: tuple[str, ...]  # the first words of its tasks
    case: str | None = None  # None: any case of these tasks

    def held_by(self, report: Report) -> bool:
        """Return whether a case of this part succeeded."""
        mine = report.task.words[: len(self.words)] == self.words
        return mine and any(
            case["status"] == "ok" and self.case in (None, case["case"]) for case in report.cases
        )


def essentials(device: str) -> Iterator[Essential]:
    """Yield the essential parts of a device.

    Without numba the task `machine` fails, so the engine that needs it is essential everywhere.
    """
    yield Essential(name="the precision of products", words=("machine",), case=PRECISION)
    yield Essential(name="the compiled engine", words=("compiled",))
    yield Essential(name=f"the population engine on {device}", words=("population", device))
    if device == "cpu":
        yield Essential(name="kernels in every order", words=("order",))


def summary(reports: Sequence[Report], device: str) -> dict[str, Any]:
    """Return the verdict and its reasons as values for JSON; `fit` is None if undecided."""
    failed, held = [], 0
    for report in reports:
        if report.problem and (report.status != "not run" or report.cases):
            failed.append(f"{report.task.name}: {report.problem}")
        for case in report.cases:
            held += case["status"] == "ok"
            if case["status"] == "failed":
                failed.append(f"{report.task.name}: {case['case']}: {case['problem']}")
    undecided = [part.name for part in essentials(device) if not any(map(part.held_by, reports))]
    return {
        "fit": False if failed else None if undecided else True,
        "held": held,
        "failed": failed,
        "not_run": [name for name, _ in _not_run(reports)],
        "undecided": undecided,
    }


def _not_run(reports: Sequence[Report]) -> Iterator[tuple[str, str]]:
    """Yield the name of each task or case that did not run, and the reason."""
    for report in reports:
        if report.status == "not run" and not report.cases:
            yield report.task.name, NO_TIME
        for case in report.cases:
            if case["status"] == "not run":
                reason = NO_OTHER if case.get("text") else NO_TIME
                yield f"{report.task.name}: {case['case']}", reason


def last_lines(
    reports: Sequence[Report], device: str, *, stands_in: bool, seconds: float, path: Path
) -> str:
    """Return the last lines on the screen; the last one names a CPU that stood in for a GPU."""
    found = summary(reports, device)
    lines = [f"does not hold: {text}" for text in found["failed"]]
    for reason in (NO_TIME, NO_OTHER):
        if names := [name for name, why in _not_run(reports) if why == reason]:
            lines.append(f"not run, {reason}: {', '.join(names)}")
    held = f"{found['held']} of {found['held'] + len(found['failed'])} cases hold"
    held += "; the CPU stood in for the GPU, which was not checked" if stands_in else ""
    lines.append(f"{_verdict(found)}: {held}, {duration(seconds)}; figures: {path}")
    return "\n".join(lines) + "\n"


def _verdict(found: dict[str, Any]) -> str:
    if found["fit"] is not None:
        return "fit" if found["fit"] else "NOT FIT"
    *others, last = found["undecided"]
    named = f"{', '.join(others)} and {last} were" if others else f"{last} was"
    return f"undecided: {named} not run"
