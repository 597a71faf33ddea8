"""Long work shows how far it is: a live line on a terminal, a line now and then in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from scaling.untrusted import visible

if TYPE_CHECKING:  # when it runs, `scaling check` has numpy, torch and numba alone
    from rich.console import Console, RenderableType
    from rich.live import Live

LOG_EVERY_S = 15.0  # assumed: rare enough for a log file, often enough for a person
LONG_S = 2.0  # assumed: what takes less time needs no line in a log
REDRAWS_PER_S = 2.0  # assumed: the seconds tick; a redraw costs 0.2 ms, as measured
BAR_WIDTH = 12


def duration(seconds: float) -> str:
    """Return seconds as text: 43 s, 5:07 min or 2:05 h."""
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
        self.started = self._last = time.monotonic()
        self._first: tuple[float, float] | None = None  # when the first work was done, and how much
        self._text = ""
        self._shown = self.started - (LOG_EVERY_S - LONG_S)
        self._live = live_display(sys.stderr, self._render)

    def __enter__(self) -> Self:
        if self._live and self.total:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def __getstate__(self) -> dict[str, object]:
        """Leave the display out: Ray Tune pickles its callbacks, and those hold their progress."""
        return self.__dict__ | {"_live": None}

    def advance(self, amount: float, text: str = "") -> None:
        """Record work done; `text` says what, in place of a percentage."""
        self.done += amount
        self._text, self._last = text, time.monotonic()
        self._first = self._first or (self._last, self.done)
        ended = self.done >= self.total and self._last - self.started > LONG_S
        if self._live:
            self._live.start(refresh=True)  # if it has not begun
        elif ended or self._last - self._shown >= LOG_EVERY_S:
            self._shown = self._last
            self.say(self._line())

    def say(self, line: str) -> None:
        """Print a line of its own, above the live one."""
        sys.stderr.write(f"{visible(line)}\n")
        sys.stderr.flush()

    def _render(self) -> "RenderableType":
        return bars([(self.done, self.total, self._line())])

    def _line(self) -> str:
        return f"{self.what}: {self._text or self._percent()}, {self._times()}"

    def _percent(self) -> str:
        return f"{min(self.done / self.total, 1):.0%}" if self.total else f"{self.done:,.0f}"

    def _times(self) -> str:
        """Return the time elapsed, and the time left at the pace since the first work was done."""
        elapsed = f"{duration(time.monotonic() - self.started)} elapsed"
        since, at_first = self._first or (self._last, 0.0)
        if self.done >= self.total or self.done <= at_first:
            return elapsed
        left = (self._last - since) * (self.total - self.done) / (self.done - at_first)
        return f"{elapsed}, about {duration(left)} to go"


def live_display(stream: TextIO, render: Callable[[], "RenderableType"]) -> "Live | None":
    """Return a display that keeps redrawing `render` on a terminal, or None.

    None stands for plain lines: in a log, on a terminal that takes no control codes (TERM=dumb) or
    is to get none (NO_COLOR), and on a machine without rich.
    """
    plain = os.environ.get("TERM") in ("dumb", "unknown") or os.environ.get("NO_COLOR")
    if plain or not stream.isatty() or find_spec("rich") is None:
        return None
    from rich.live import Live

    return Live(
        get_renderable=render,
        console=_console(stream is sys.stderr),
        refresh_per_second=REDRAWS_PER_S,
        redirect_stdout=sys.stdout.isatty(),  # what else is printed goes above, or into its file
        redirect_stderr=sys.stderr.isatty(),
    )


def bars(rows: Iterable[tuple[float, float, str]]) -> "RenderableType":
    """Return a row for each amount done, its total and a text; a total of 0 is not known."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for done, total, text in rows:
        table.add_row(ProgressBar(total or None, done, BAR_WIDTH), Text(visible(text)))
    return table


@cache
def _console(stderr: bool) -> "Console":
    """Return the one console of a stream: on it, displays within each other share the screen."""
    from rich.console import Console

    class Cursor(Console):
        """A console whose cursor stays, as a killed command could not bring it back."""

        def show_cursor(self, show: bool = True) -> bool:
            return super().show_cursor() if show else False

    return Cursor(stderr=stderr, force_terminal=True, force_interactive=True)
