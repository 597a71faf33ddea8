"""Watch studies in a results folder, without Ray and without reading a file twice."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scaling.progress import bars, duration, live_display
from scaling.store.store import Stamp, State, Store, now

# Assumed: often enough for a person, and looking never takes more than a tenth of the time.
EVERY_S, SHARE = 2.0, 0.1
# The pace is that of the shortest of these times in which models were finished, assumed: a study
# that was resumed is not to be judged by the night in which it stood still.
WINDOWS_S = (600, 3600, 6 * 3600)
COLUMNS = ["run_id", "epoch", "epochs", "created_at"]


class Counter:
    """The state of a results folder; each look reads only what is new in it.

    It takes the rows as they are: what is wrong with them, `scaling status` says at the end.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, dict[str, Stamp]] = {}
        self._rows: dict[str, dict[str, list[dict[str, Any]]]] = {}  # by kind and file
        self.finished_at: dict[str, datetime] = {}  # by run_id, of what has its last epoch's row

    def look(self) -> State:
        """Return the state as of now."""
        self.finished_at = {
            row["run_id"]: row["created_at"]
            for row in self._read("metrics", COLUMNS)
            if row["epoch"] == row["epochs"]
        }
        predicted = {row["run_id"] for row in self._read("predictions", ["run_id"])}
        failures = {row["run_id"]: row for row in self._read("failures", None)}
        finished = frozenset(self.finished_at.keys() & predicted)
        return State(finished=finished, failures=failures, corrupt=())

    def _read(self, kind: str, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
        """Yield all rows; only files that are new or were written again are read."""
        stamps, before = self._store.stamps(kind), self._seen.get(kind, {})
        known = self._rows.setdefault(kind, {})
        for gone in known.keys() - stamps.keys():
            del known[gone]
        changed = [name for name, stamp in stamps.items() if before.get(name) != stamp]
        for name, read in self._store.read_each(kind, changed, columns).items():
            known[name] = read.table.to_pylist()
        self._seen[kind] = stamps
        return (row for rows in known.values() for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Models of a plan, and how fast they come."""

    models: int
    finished: int
    failed: int
    per_minute: float | None = None  # None as long as there is no telling
    left_s: float | None = None

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.finished} of {self.models} models{failed}"

    def ahead(self) -> str:
        """What is to be expected, in words; nothing where nothing is known or left."""
        if self.per_minute is None or not self.left_s:
            return ""
        return f"; {self.per_minute:.3g} models a minute, about {duration(self.left_s)} to go"


def pace(
    plan: Mapping[str, Any], state: State, finished_at: Mapping[str, datetime], at: datetime
) -> Pace:
    """How fast the models of a plan were finished of late, and when the rest will be.

    What is left is weighed by the predicted cost of each model, as the longest come first.
    """
    cost = {
        member["run_id"]: cell.get("predicted_s", 0.0) / len(cell["members"])
        for cell in plan["cells"]
        for member in cell["members"]
    }
    done = sorted((finished_at[run], run) for run in cost if run in state.finished)
    failed = [run for run in cost if state.failed(run)]
    counts = {"models": len(cost), "finished": len(done), "failed": len(failed)}
    left = cost.keys() - {run for _, run in done} - set(failed)
    for window in WINDOWS_S:
        recent = [(when, run) for when, run in done if when > at - timedelta(seconds=window)]
        if len(recent) < 2:
            continue
        seconds = (at - recent[0][0]).total_seconds()  # the first only starts the clock
        if seconds <= 0:
            break
        work = sum(cost[run] for _, run in recent[1:])
        share = sum(cost[run] for run in left) / work if work else len(left) / (len(recent) - 1)
        per_minute = 60 * (len(recent) - 1) / seconds
        return Pace(**counts, per_minute=per_minute, left_s=share * seconds)
    return Pace(**counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Cells and models of one study, as of one look."""

    study: str
    cells: Mapping[str, int]
    pace: Pace

    def __str__(self) -> str:
        counts = ", ".join(f"{self.cells[key]} {key}" for key in ("finished", "failed", "missing"))
        return f"{self.study}: {self.cells['cells']} cells, {counts}; {self.pace}"

    def line(self) -> str:
        """Return the counts and, where the pace is known, the time to go."""
        return f"{self}{self.pace.ahead()}"

    def row(self) -> tuple[float, float, str]:
        """Return the models done, their number and the line, for a bar."""
        return self.pace.finished + self.pace.failed, self.pace.models, self.line()

    def as_json(self) -> str:
        """Return one object, on one line."""
        pace = self.pace
        return json.dumps(
            {"study": self.study, **self.cells, "models": pace.models}
            | {"models_finished": pace.finished, "models_failed": pace.failed}
            | {"models_per_minute": pace.per_minute, "left_s": pace.left_s}
        )


def watch(
    store: Store, *, as_json: bool = False, wait: Callable[[float], None] = time.sleep
) -> None:
    """Show how far the studies are until nothing is missing.

    On a terminal each study has a bar, drawn anew; in a log and as JSON, a line for each change.
    """
    waiting = f"{store.out}: no study is there yet, waiting for one"
    counter, printed, rows = Counter(store), set[str](), [(0.0, 0.0, waiting)]
    live = None if as_json else live_display(sys.stdout, lambda: bars(rows))
    with live or nullcontext():
        while True:
            started = time.monotonic()
            standings = _look(counter, store)
            if live and standings:
                rows[:] = [each.row() for each in standings]
            elif not live:
                lines = {
                    str(each): each.as_json() if as_json else each.line() for each in standings
                }
                lines = lines or {waiting: waiting}
                for line in (lines[known] for known in lines if known not in printed):
                    print(line, flush=True)
                printed = set(lines)  # without times, which alone make no change
            if standings and not any(each.cells["missing"] for each in standings):
                return
            wait(max(EVERY_S, (time.monotonic() - started) / SHARE))


def _look(counter: Counter, store: Store) -> list[Standing]:
    """Return where each planned study stands now."""
    state, plans = counter.look(), store.read_plans()
    at = max([now(), *counter.finished_at.values()])  # clocks of other machines may be ahead
    return [
        Standing(
            study=name,
            cells=state.count(plan),
            pace=pace(plan, state, counter.finished_at, at),
        )
        for name, plan in plans.items()
    ]
