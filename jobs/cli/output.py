"""Lines that several commands print: data sets, the state of a study, failures, corrupt files."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from scaling.data.selection import WARNING
from scaling.store import record_schema
from scaling.store.contents import Contents
from scaling.store.store import CorruptFile, State
from scaling.untrusted import visible


def print_note(name: str, note: str) -> None:
    """Print the source of a data set, and below it a line for each warning."""
    print(f"{name}: {note}".replace(WARNING, "\n  warning: "), flush=True)


def print_to_stderr(line: str) -> None:
    """Print a line that is no result, at once."""
    print(visible(line), file=sys.stderr, flush=True)


def count_text(counts: Mapping[str, int]) -> str:
    """Return the counts of cells, and of models where some are missing, in words."""
    cells = ", ".join(f"{counts[key]} {key}" for key in ("finished", "failed", "missing"))
    return cells + stored_text(counts)


def stored_text(counts: Mapping[str, int]) -> str:
    """Return the number of stored models in words; empty where none is missing."""
    if counts["models_finished"] == counts["models"]:
        return ""
    part = f", {counts['in_part']} cells in part" if counts["in_part"] else ""
    return f"; {counts['models_finished']} of {counts['models']} models stored{part}"


def question_lines(question: str, notes: Iterable[str]) -> list[str]:
    """Return the question of a study and its notes, a line each."""
    return [" ".join(text.split()) for text in (question, *notes)]


def failure_lines(plan: Mapping[str, Any], state: State) -> list[str]:
    """Return a line for each model of a plan that failed."""
    return [
        f"{member['run_id']} failed ({state.failures[member['run_id']]['kind']}):"
        f" {state.failures[member['run_id']]['error']}"
        for cell in plan["cells"]
        for member in cell["members"]
        if state.failed(member["run_id"])
    ]


def print_summary(plan: Mapping[str, Any], state: State, out: str) -> int:
    """Print the state of a plan and its failures; return the exit status."""
    counts = state.count(plan) | state.count_models(plan)
    for line in failure_lines(plan, state):
        print(f"scaling: {line}", file=sys.stderr)
    print(
        f"{plan['name']}: {counts['finished']} of {counts['cells']} cells finished,"
        f" {counts['failed']} failed, {counts['missing']} missing, in {out}{stored_text(counts)}"
    )
    failed = 1 if counts["failed"] or counts["missing"] else 0
    return report_corrupt_files(state.corrupt) or failed


def print_doubts(contents: Contents) -> None:
    """Print a line for each misplaced file, and the number of files without digests."""
    for file in contents.misplaced:
        print(
            f"scaling: {file.path}: {file.error}; no model is counted twice; the next sweep puts"
            " the file aside",
            file=sys.stderr,
        )
    if contents.unverified:
        print(
            f"scaling: {contents.unverified:,} files were written before there were digests: a bit"
            " that changed in them may be unseen",
            file=sys.stderr,
        )


def report_corrupt_files(files: Iterable[CorruptFile]) -> int:
    """Print a line for each file that cannot be read; return the exit status."""
    status = 0
    for file in files:
        status = 2
        again = {
            "studies": ", or run the sweep again and it is written anew",
            **dict.fromkeys(record_schema.KINDS, ", or run a sweep again and it is put aside"),
        }.get(file.kind, ", or run the sweep again and its model is trained anew")
        print(f"scaling: {file}; everything else was read; delete it{again}", file=sys.stderr)
    return status
