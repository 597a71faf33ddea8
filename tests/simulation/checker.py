"""What must hold in every world: no stored row is lost, doubled or changed."""

import traceback
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from scaling.errors import InputError
from scaling.store.contents import Contents
from scaling.store.digest import DamagedError
from scaling.store.rows import metric_rows, prediction_row
from scaling.store.schema import PROVENANCE, SCHEMAS
from scaling.store.store import Store
from scaling.store.tables import decode
from scaling.study import Job

from . import models

EXPECTED = (InputError, OSError)  # of a worker in bad weather
FREE = (*PROVENANCE, "study", "schema_version")


class Checker:
    """What was promised so far, and what did not hold."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.stored: dict[str, float] = {}  # since when a model counts as stored
        self.became_nan: set[str] = set()  # models whose failure counts as stored
        self.trained = 0
        self.faults: list[str] = []
        self._trained_by: dict[str, Any] = {}
        self._rotten: dict[str, Any] = {}  # files with a flipped bit, by path

    def fault(self, text: str) -> None:
        self.world.note(f"FAULT: {text}")
        self.faults.append(text)

    def acknowledged(self, run: str, failed: bool) -> None:
        """Note that a worker reports a model as stored: from now on it must stay."""
        files = self.world.all_files()
        harmed = [(p, f) for p, f in self._rotten.items() if files.get(p) is f]
        if any(run in _runs(file.written, path.split("/")[-2]) for path, file in harmed):
            return
        if failed:
            self.became_nan.add(run)
        else:
            self.stored.setdefault(run, self.world.now)

    def printed(self, line: str) -> None:
        """Check a line that a command prints."""
        if "OTHER results" in line:  # there is only one result of a model
            self.fault(line)
        if "another command" in line and self.world.weather.fair:
            self.fault(f"{line}, and no other command runs")

    def training(self, run: str, since: float, driver: Any) -> None:
        """Check that no worker that got its batch at this time trains what was stored before.

        In a folder with a lock no two drivers train the same model, either.
        """
        self.trained += 1
        other = self._trained_by.get(run, driver)
        if other is not driver and self.world.alive(other) and not self.world.may_train_twice:
            self.fault(f"{driver} and {other} train {run}")
        self._trained_by[run] = driver
        if self.stored.get(run, since) < since and not self.world.may_train_twice:
            self.fault(f"{run} is trained again, though it was stored before its batch began")

    def batches(self, trained: Sequence[int], queue: Any) -> None:
        """Check that each batch of a sweep that ran to its end was trained or given up, once."""
        known = sorted([*trained, *(config["batch"] for config, _ in queue.lost)])
        if known != [*range(len(queue._batches))]:
            self.fault(f"batches {known} were trained or given up, of {len(queue._batches)}")

    def rotten(self, path: str, file: Any) -> None:
        """Note that a bit of a file at rest changed: its models may have to be trained again."""
        kind = path.split("/")[-2]
        if kind in SCHEMAS:
            self._rotten[path] = file
        for run in _runs(file.written, kind) if kind in SCHEMAS else ():
            self.stored.pop(run, None)
            self.became_nan.discard(run)

    def put_aside(self, path: str, target: str, harmed: bool, others: Iterable[Any]) -> None:
        """Check that a file that is put aside is damaged, or that others hold its models."""
        kind = path.split("/")[-2]
        if harmed or "/damaged/" not in target or kind not in SCHEMAS:
            return
        elsewhere = {
            run
            for name, file in others
            if name != path and not file.harmed
            for run in _runs(file.body, kind)
            if name.split("/")[-2] == kind
        }
        if missing := set(_runs(self.world.body_of(path), kind)) - elsewhere:
            self.fault(f"{path} is put aside, is not damaged, and alone holds {sorted(missing)}")

    def ended(self, name: str, error: BaseException | None) -> None:
        """Check that a command ended well, or with one sentence on what to do."""
        if error is None or (isinstance(error, KeyboardInterrupt) and not self.world.weather.fair):
            return
        if isinstance(error, InputError) and not self.world.weather.fair:
            return
        trace = "".join(traceback.format_exception(error))
        self.fault(f"{name} ended with {type(error).__name__}: {error}\n{trace}")

    def lost_trial(self, error: BaseException) -> None:
        """Check that a trial raised nothing but what bad weather explains."""
        if not isinstance(error, EXPECTED) or self.world.weather.fair:
            trace = "".join(traceback.format_exception(error))
            self.fault(f"a trial raised {type(error).__name__}: {error}\n{trace}")

    def rows(self, contents: Contents) -> None:
        """Check that each row of these contents is what its training gave, once."""
        if self.world.lists_are_fresh and not (self._rotten or contents.corrupt):
            last = contents.metrics.filter(pc.equal(contents.metrics["epoch"], models.EPOCHS))
            finished = {*last["run_id"].to_pylist()}
            for run in sorted(finished - {*contents.predictions["run_id"].to_pylist()}):
                self.fault(f"{run} has metrics, which mark it as finished, and no predictions")
        for kind in ("metrics", "predictions"):
            found: dict[str, list[Any]] = {}
            for run, row in _plain(getattr(contents, kind), kind):
                found.setdefault(run, []).append(row)
            for run, mine in found.items():
                if len(mine) != 1:
                    self.fault(f"{run} has {len(mine)} rows of {kind}, expected 1")
                elif mine[0] != truth(run)[kind]:
                    self.fault(f"{kind} of {run} are {mine[0]}, expected {truth(run)[kind]}")

    def promises(self, when: str) -> Contents:
        """Check that all models that count as stored are there; return what is."""
        contents = self.world.look(lambda: Store(self.world.out).contents(whole=True))
        self.rows(contents)
        state = contents.state
        for run in sorted(self.stored.keys() - state.finished):
            self.fault(f"{run} was stored {when}, and is lost")
            del self.stored[run]
        for run in sorted(r for r in self.became_nan if not state.failed(r, "numeric")):
            # A driver that gives a trial up, while it goes on elsewhere, may write at that moment;
            # then the model is trained once more, and becomes NaN again.
            if not state.failed(run, "infrastructure"):
                self.fault(f"the failure of {run} was stored {when}, and is lost")
            self.became_nan.remove(run)
        return contents

    def whole(self, jobs: Iterable[Job]) -> None:
        """Check that all models are stored, and nothing is left to mend."""
        contents = self.promises("at last")
        state, runs = contents.state, models.runs_of([*jobs])
        for run in sorted(runs - state.finished):
            if not (models.becomes_nan(run) and state.failed(run, "numeric")):
                self.fault(f"{run} is missing after the repeated command")
        # A copy counts for nothing: one is left where only the predictions of a file were damaged.
        copies = [file for file in contents.misplaced if "with the same results" in file.error]
        for file in {*contents.corrupt, *contents.misplaced}.difference(copies):
            self.fault(f"after the repeated command: {file}")


@cache
def truth(run: str) -> dict[str, Any]:
    """Return the rows that training this model gives, without what differs between two times."""
    (job, member) = next(
        (job, member)
        for shape in range(len(models.SHAPES))
        for job in models.study(shape, "any")[1]
        for member in job.members
        if models.run_id(job.cell, member) == run
    )
    result = models.trained(job.cell, member, models.final_state(run))
    rows = {
        "metrics": metric_rows("any", job.cell, result),
        "predictions": [prediction_row(job.cell, result)],
    }
    found = {}
    for kind, mine in rows.items():
        table = pa.Table.from_pylist(mine, schema=SCHEMAS[kind])
        ((_, found[kind]),) = _plain(table, kind)
    return found


def _plain(table: pa.Table, kind: str) -> list[tuple[str, Any]]:
    names = [name for name in SCHEMAS[kind].names if name not in FREE]
    return [(row["run_id"], row) for row in table.select(names).to_pylist()]


@cache
def _runs(body: bytes, kind: str) -> tuple[str, ...]:
    try:
        table = decode(body, pa.schema([SCHEMAS[kind].field("run_id")]), None).table  # type: ignore[arg-type]
    except (DamagedError, pa.ArrowException, OSError):
        return ()
    return tuple(run for run in table["run_id"].to_pylist() if run)
