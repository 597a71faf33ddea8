"""Results as Parquet: what is there of which model, and reading that survives a torn file.

A model's rows are one file named by its run_id, so writing a result twice replaces it and can never
double it. pyarrow is known here, in schema.py (the columns), in files.py (folders and URIs) and in
archive_file.py (published studies).
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.store.files import Files, Stamp, Unwritable, check_uri, line_of
from scaling.store.schema import FAILURES, METRICS, PREDICTIONS, SCHEMA_VERSION, SCHEMAS

__all__ = [
    "FAILURES",
    "METRICS",
    "PREDICTIONS",
    "SCHEMAS",
    "SCHEMA_VERSION",
    "CorruptFile",
    "Read",
    "Stamp",
    "State",
    "Store",
    "Unwritable",
    "check_uri",
    "now",
    "pack_correct",
    "state_of",
    "unpack_correct",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CorruptFile:
    """A file that cannot be read, and why."""

    path: str
    error: str

    def __str__(self) -> str:
        return f"{self.path} cannot be read ({self.error})"


@dataclass(frozen=True, slots=True)
class Read:
    """One table of everything readable, and the files that were not."""

    table: pa.Table
    corrupt: tuple[CorruptFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Models by run_id: those whose results are complete, and the last failure of others."""

    finished: frozenset[str]
    failures: Mapping[str, Mapping[str, Any]]
    corrupt: tuple[CorruptFile, ...]

    def __repr__(self) -> str:
        return (
            f"<state: {len(self.finished):,} models finished, {len(self.failures):,} failures,"
            f" {len(self.corrupt):,} files unreadable>"
        )

    def failed(self, run_id: str, kind: str | None = None) -> bool:
        """Whether a model failed (in this way) and was not trained since."""
        failure = self.failures.get(run_id)
        return (
            run_id not in self.finished and failure is not None and kind in (None, failure["kind"])
        )

    def count(self, plan: Mapping[str, Any]) -> dict[str, int]:
        """Cells of a plan: finished (all members), failed (any member), missing (the rest)."""
        counts = {"cells": len(plan["cells"]), "finished": 0, "failed": 0, "missing": 0}
        for cell in plan["cells"]:
            runs = [member["run_id"] for member in cell["members"]]
            if any(self.failed(run) for run in runs):
                counts["failed"] += 1
            elif all(run in self.finished for run in runs):
                counts["finished"] += 1
            else:
                counts["missing"] += 1
        return counts

    def count_models(self, plan: Mapping[str, Any]) -> dict[str, int]:
        """Models of a plan, and the cells among its missing ones that have some of theirs."""
        cells = [[member["run_id"] for member in cell["members"]] for cell in plan["cells"]]
        runs = {run for cell in cells for run in cell}
        begun = [
            any(run in self.finished for run in cell)
            and not all(run in self.finished for run in cell)
            and not any(self.failed(run) for run in cell)
            for cell in cells
        ]
        return {
            "models": len(runs),
            "models_finished": len(runs & self.finished),
            "models_failed": sum(self.failed(run) for run in runs),
            "in_part": sum(begun),
        }


def state_of(metrics: Read, predictions: Read, failures: Read) -> State:
    """What these tables say of each model; its last epoch's row stands for a finished training."""
    last = pc.equal(metrics.table["epoch"], metrics.table["epochs"])
    finished = set(metrics.table.filter(last)["run_id"].to_pylist())
    return State(
        finished=frozenset(finished & set(predictions.table["run_id"].to_pylist())),
        failures={row["run_id"]: row for row in failures.table.to_pylist()},
        corrupt=(*metrics.corrupt, *predictions.corrupt, *failures.corrupt),
    )


class Store:
    """A results folder: metrics/, predictions/, failures/, studies/ and what else belongs to it."""

    def __init__(self, out: str | Path) -> None:
        """Raises InputError for what is neither a folder nor a URI that pyarrow knows."""
        self._files = Files(out)
        self.out, self.is_local = self._files.out, self._files.is_local

    @property
    def root(self) -> Path:
        """The folder itself, where it is one on this machine."""
        return self._files.root

    def check_writable(self) -> None:
        """Raises InputError unless files can be made here: asked before anything is trained."""
        if why := self.unwritable(*SCHEMAS):
            raise InputError(
                f"results cannot be written to {self.out} ({why}): name another folder with --out"
            )

    def unwritable(self, *folders: str) -> str | None:
        """Why no files can be made in these folders; None where they can."""
        try:
            for folder in folders:
                self._files.make_folder(folder)
            probe = f"{folders[0]}/.probe-{uuid.uuid4().hex[:8]}"  # several may ask at once
            self._files.write_once(probe, b"ok")
            self._files.delete(probe)
        except (OSError, pa.ArrowException) as error:
            return line_of(error)
        return None

    def exists(self) -> bool:
        """Raises InputError where there is no telling."""
        try:
            return self._files.exists()
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{self.out} cannot be looked at ({line_of(error)}): expected a folder, or a URI"
                " whose server answers and lets us in (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL)"
            ) from error

    def address(self, name: str) -> str:
        """What somebody would type to get at a file of the results."""
        return self._files.address(name)

    def stamps(self, kind: str) -> dict[str, Stamp]:
        """By run_id, what changes when the rows of a model do; nothing is opened."""
        found = self._files.stamps(kind, ".parquet")
        return {Path(name).stem: stamp for name, stamp in found.items()}

    def write_model(self, rows: Sequence[Mapping[str, Any]], prediction: Mapping[str, Any]) -> None:
        """A finished model: predictions first, as the metrics say that it is there."""
        name = rows[0]["run_id"]
        self._write("predictions", name, [prediction])
        self._write("metrics", name, rows)

    def write_failure(self, failure: Mapping[str, Any]) -> None:
        self._write(
            "failures",
            failure["run_id"] or failure["cell_id"],
            [{"created_at": now(), "traceback": "", **failure}],
        )

    def read(
        self,
        kind: str,
        columns: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
    ) -> Read:
        """All rows of metrics, predictions or failures (some columns, some models, if named)."""
        schema = SCHEMAS[kind]
        if columns:
            schema = pa.schema([schema.field(name) for name in columns])
        if names is None:
            paths = list(self._files.names(kind, ".parquet"))
        else:
            paths = [f"{kind}/{name}.parquet" for name in names]
        tables, torn = self._each(
            paths, lambda file: _fitted(file.read(schema.names, use_threads=False), schema)
        )
        return Read(pa.concat_tables([schema.empty_table(), *tables]), torn)

    def read_each(self, kind: str) -> dict[str, Read]:
        """Return all rows by file, under its name as `read` takes it; a bucket's files at once."""
        names = [Path(path).stem for path in self._files.names(kind, ".parquet")]
        found = self._files.each(names, lambda name: self.read(kind, names=[name]))
        return dict(zip(names, found, strict=True))

    def state(self) -> State:
        """What is there of which model: finished with its predictions, or failed.

        Of files of one model only the footers are looked at, a third of the work (measured).
        """
        return state_of(
            self._brief("metrics", ("run_id", "epoch", "epochs")),
            self._brief("predictions", ("run_id",)),
            self.read("failures"),
        )

    def _brief(self, kind: str, columns: Sequence[str]) -> Read:
        """The largest value of these columns in each file of one model; others are read whole."""
        schema = pa.schema([SCHEMAS[kind].field(name) for name in columns])
        paths = list(self._files.names(kind, ".parquet"))
        found, torn = self._each(paths, lambda file: _largest(file, schema))
        return Read(pa.concat_tables([schema.empty_table(), *found]), torn)

    def _each(
        self, paths: Sequence[str], use: Callable[[pq.ParquetFile], T]
    ) -> tuple[list[T], tuple[CorruptFile, ...]]:
        """What `use` makes of each file that is there, and the files that cannot be read."""

        def one(path: str) -> T | CorruptFile | None:
            try:
                if (body := self._files.read(path)) is None:
                    return None
                return use(pq.ParquetFile(pa.BufferReader(body)))
            except (pa.ArrowException, OSError, KeyError) as error:
                return CorruptFile(self._files.path(path), line_of(error))

        found = [item for item in self._files.each(paths, one) if item is not None]
        torn = tuple(item for item in found if isinstance(item, CorruptFile))
        return [item for item in found if not isinstance(item, CorruptFile)], torn

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        body = json.dumps({**plan, "written_at": now().isoformat()}, indent=1).encode()
        self._files.write(f"studies/{plan['name']}.json", body)

    def read_plans(self) -> dict[str, dict[str, Any]]:
        """The plan of each study by name. Raises InputError for one that is no plan."""
        plans = {}
        for path, body in self.read_files("studies", ".json"):
            try:
                plan = json.loads(body)
                if not isinstance(name := plan["name"], str):
                    raise TypeError(f"its name is {str(name)[:40]}, expected text")
                plans[name] = plan
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(
                    f"{path} is not a study's plan ({line_of(error)}):"
                    " run `scaling sweep` again and it is written anew"
                ) from error
        return plans

    def write_file(self, name: str, body: bytes) -> None:
        """Anything else that belongs to the results, atomically."""
        self._files.write(name, body)

    def read_file(self, name: str) -> bytes | None:
        """What `write_file` wrote; None if there is no such file."""
        return self._files.read(name)

    def delete_file(self, name: str) -> None:
        """Remove what `write_file` wrote, if it is there."""
        self._files.delete(name)

    def file_names(self, folder: str, suffix: str) -> list[str]:
        """The names of such files in a folder, as `read_file` takes them."""
        return list(self._files.names(folder, suffix))

    def read_files(self, folder: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        """Path and content of each such file in a folder, in the order of their names."""
        for name in self._files.names(folder, suffix):
            if (body := self._files.read(name)) is not None:
                yield self._files.path(name), body

    def _write(self, kind: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMAS[kind])
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._files.write(f"{kind}/{name}.parquet", sink.getvalue())


def _largest(file: pq.ParquetFile, schema: pa.Schema) -> pa.Table:
    """By the footer's statistics, where these say that all rows are of one model."""
    columns = schema.names
    where = {name: i for i, name in enumerate(file.metadata.schema.names)}
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    found = {name: [group.column(where[name]).statistics for group in groups] for name in columns}
    known = all(s is not None and s.has_min_max for stats in found.values() for s in stats)
    if known and len({value for s in found["run_id"] for value in (s.min, s.max)}) == 1:
        row = {name: max(s.max for s in stats) for name, stats in found.items()}
        return pa.Table.from_pylist([row], schema=schema)
    return _fitted(file.read(columns), schema)


def pack_correct(correct: NDArray[np.bool_]) -> bytes:
    """One bit an image, the most significant first."""
    return np.packbits(correct).tobytes()


def unpack_correct(packed: bytes, n_test: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=n_test).astype(bool)


def now() -> datetime:
    return datetime.now(UTC)


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with our columns; those of another type, but equal values, become ours.

    Raises ArrowException for values that are none of that type, as text is no number.
    """
    table = table.select(schema.names)
    if table.schema.equals(schema):  # to unify costs 30 times more
        return table
    both = pa.concat_tables([schema.empty_table(), table], promote_options="permissive")
    return both.cast(schema)
