"""Counts of checks, and the findings."""

from dataclasses import dataclass, field
from typing import Any

FILES = "files: whole, named by their content"
PLANS = "plans against identities"
ROWS = "rows of a model among themselves"
PLANNED = "rows against plans"
BITS = "counts against bits"
LABELS = "predictions against labels"
FAILURES = "failures against results"
EQUAL = "trained again, equal to the bit"
PAIRED = "trained again, paired test"
BOUNDS = "trained again, each number within bounds"
SMALL = "weight by weight against the reference"
CHECKS = (FILES, PLANS, ROWS, PLANNED, BITS, LABELS, FAILURES, SMALL, EQUAL, BOUNDS, PAIRED)

MAX_CHARACTERS = 600  # characters of a value in a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One failed check; `file` is relative to the results folder."""

    check: str
    run_id: str | None
    file: str
    what: str
    got: str
    expected: str

    def __str__(self) -> str:
        named = f"{self.run_id}: " if self.run_id else ""
        return f"{named}{self.what}: got {self.got}, expected {self.expected} ({self.file})"


@dataclass(slots=True)
class Ledger:
    """Counts by check, findings, and notes on checks that were not possible.

    `unverified` holds, by run_id, why a model of the sample is neither confirmed nor contradicted.
    """

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unverified: dict[str, str] = field(default_factory=dict)

    def count(self, check: str, n: int = 1) -> None:
        self.checked[check] = self.checked.get(check, 0) + n

    def note(self, text: str) -> None:
        self.notes.append(text)

    def failed(self, check: str) -> int:
        return sum(finding.check == check for finding in self.findings)

    def about(self, check: str, run_id: str | None, file: str) -> "Page":
        return Page(self, check, run_id, file)


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a ledger for one check of one model; `file` holds the checked values."""

    ledger: Ledger
    check: str
    run_id: str | None
    file: str

    def fail(self, what: str, got: Any, expected: Any) -> None:
        finding = Finding(
            check=self.check,
            run_id=self.run_id,
            file=self.file,
            what=what,
            got=format_value(got),
            expected=format_value(expected),
        )
        self.ledger.findings.append(finding)

    def equal(self, what: str, got: Any, expected: Any) -> bool:
        """Record a finding unless both are equal; return whether they are."""
        if got == expected:
            return True
        self.fail(what, got, expected)
        return False


def format_value(value: Any) -> str:
    """Return a value in one short line: floats with all digits, a missing value as null."""
    if value is None:
        return "null"
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}..."
