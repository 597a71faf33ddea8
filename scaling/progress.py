"""Long work shows how far it is: one line rewritten on a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType
from typing import Self

LOG_EVERY_S = 15.0  # assumed: rare enough for a log file, often enough for a person
LONG_S = 2.0  # assumed: what takes less time needs no line in a log


def duration(seconds: float) -> str:
    """43 s, 5:07 min or 2:05 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


class Progress:
    """Counts work done against the total, in any unit, and estimates what is left."""

    def __init__(self, what: str, total: float) -> None:
        self.what, self.total, self.done = what, total, 0.0
        self.started = time.monotonic()
        self._first: tuple[float, float] | None = None  # when the first work was done, and how much
        self._terminal = sys.stderr.isatty()
        self._shown = self.started - (0 if self._terminal else LOG_EVERY_S - LONG_S)
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._terminal and self._width:
            sys.stderr.write("\n")

    def advance(self, amount: float, text: str = "") -> None:
        """Record work done; `text` says what, in place of a percentage."""
        self.done += amount
        now = time.monotonic()
        self._first = self._first or (now, self.done)
        last = self.done >= self.total and (self._terminal or now - self.started > LONG_S)
        if not last and now - self._shown < (0.1 if self._terminal else LOG_EVERY_S):
            return
        self._shown = now
        self._write(f"{self.what}: {text or self._percent()}, {self._times(now)}")

    def say(self, line: str) -> None:
        """A line of its own, above."""
        end = "\r" + " " * self._width + "\r" if self._width else ""
        sys.stderr.write(f"{end}{line}\n")
        sys.stderr.flush()

    def _percent(self) -> str:
        return f"{min(self.done / self.total, 1):.0%}" if self.total else f"{self.done:,.0f}"

    def _times(self, now: float) -> str:
        """Elapsed, and what is left at the pace since the first work was done."""
        elapsed = f"{duration(now - self.started)} elapsed"
        since, at_first = self._first or (now, 0.0)
        if self.done >= self.total or self.done <= at_first:
            return elapsed
        left = (now - since) * (self.total - self.done) / (self.done - at_first)
        return f"{elapsed}, about {duration(left)} to go"

    def _write(self, line: str) -> None:
        if self._terminal:
            sys.stderr.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
