"""Results as Parquet: the schema, atomic writes, and reading that survives a torn file.

The only file that knows pyarrow. A model's rows are one file named by its run_id, so writing a
result twice replaces it and can never double it. A folder or any URI that pyarrow knows will do.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scaling.errors import InputError

SCHEMA_VERSION = 1  # in every row
_TIME = pa.timestamp("us", tz="UTC")

METRICS = pa.schema(
    [
        ("run_id", pa.string()),
        ("cell_id", pa.string()),
        ("study", pa.string()),
        ("dataset", pa.string()),
        ("test_set_id", pa.string()),
        ("split", pa.string()),
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("width", pa.float64()),
        ("recipe", pa.string()),
        ("tricks", pa.list_(pa.string())),
        ("model", pa.string()),
        ("engine", pa.string()),
        ("device", pa.string()),
        ("seed", pa.int64()),
        ("lr", pa.float64()),
        ("weight_decay", pa.float64()),
        ("batch_size", pa.int64()),
        ("epochs", pa.int64()),
        ("epoch", pa.int64()),
        ("examples_seen", pa.int64()),
        ("train_flop", pa.float64()),  # 2**63 is too few for large studies
        ("n_params", pa.int64()),
        ("n_macs", pa.int64()),
        *[
            (f"{part}_{what}", kind)
            for part in ("train", "val", "test")
            for what, kind in (("loss", pa.float64()), ("misses", pa.int64()), ("n", pa.int64()))
            if (part, what) != ("test", "n")  # that is n_test
        ],
        ("wall_s", pa.float64()),
        ("cpu_s", pa.float64()),
        ("created_at", _TIME),
        ("git_commit", pa.string()),
        ("host", pa.string()),
        ("versions", pa.map_(pa.string(), pa.string())),
        ("schema_version", pa.int64()),
    ]
)
PREDICTIONS = pa.schema(
    [
        ("run_id", pa.string()),
        ("test_set_id", pa.string()),
        ("n_test", pa.int64()),
        ("correct", pa.binary()),
        ("predicted", pa.binary()),
    ]
)
FAILURES = pa.schema(
    [
        ("cell_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("error", pa.string()),
        ("traceback", pa.string()),
        ("created_at", _TIME),
    ]
)
SCHEMAS = {"metrics": METRICS, "predictions": PREDICTIONS, "failures": FAILURES}


@dataclass(frozen=True, slots=True)
class Torn:
    """A file that cannot be read, and why."""

    path: str
    error: str

    def __str__(self) -> str:
        return f"{self.path} cannot be read ({self.error})"


@dataclass(frozen=True, slots=True)
class Read:
    """One table of everything readable, and the files that were not."""

    table: pa.Table
    torn: tuple[Torn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Models by run_id: those whose results are complete, and the last failure of others."""

    finished: frozenset[str]
    failures: Mapping[str, Mapping[str, Any]]
    torn: tuple[Torn, ...]

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


def state_of(metrics: Read, predictions: Read, failures: Read) -> State:
    """What these tables say of each model; its last epoch's row stands for a finished training."""
    last = pc.equal(metrics.table["epoch"], metrics.table["epochs"])
    finished = set(metrics.table.filter(last)["run_id"].to_pylist())
    return State(
        finished=frozenset(finished & set(predictions.table["run_id"].to_pylist())),
        failures={row["run_id"]: row for row in failures.table.to_pylist()},
        torn=(*metrics.torn, *predictions.torn, *failures.torn),
    )


class Store:
    """A results folder: metrics/, predictions/, failures/ and studies/."""

    def __init__(self, out: str | Path) -> None:
        text = str(out)
        try:
            if "://" in text:
                self._fs, self._root = pafs.FileSystem.from_uri(text)
                self.is_local = isinstance(self._fs, pafs.LocalFileSystem)
            else:
                self._fs, self._root = pafs.LocalFileSystem(), str(Path(text).absolute())
                self.is_local = True
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"--out {text}: {_line(error)}; expected a folder or a URI") from error
        self.out = text

    @property
    def root(self) -> Path:
        """The folder itself, where it is one on this machine."""
        return Path(self._root)

    def check_writable(self) -> None:
        """Raises InputError unless files can be made here: asked before anything is trained."""
        try:
            for kind in SCHEMAS:
                self._fs.create_dir(f"{self._root}/{kind}", recursive=True)
            self._write_bytes("metrics", ".probe", b"ok")
            self._fs.delete_file(f"{self._root}/metrics/.probe")
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"results cannot be written to {self.out} ({_line(error)}):"
                " name another folder with --out"
            ) from error

    def exists(self) -> bool:
        return bool(self._fs.get_file_info(self._root).type == pafs.FileType.Directory)

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
        tables, torn = [], []
        for path in self._files(kind, ".parquet") if names is None else self._named(kind, names):
            try:
                with self._fs.open_input_file(path) as source:
                    tables.append(pq.read_table(source, columns=columns).select(schema.names))
            except (pa.ArrowException, OSError, KeyError) as error:
                torn.append(Torn(path, _line(error)))
        return Read(_joined(tables, schema), tuple(torn))

    def state(self) -> State:
        """What is there of which model: finished with its predictions, or failed."""
        return state_of(
            self.read("metrics", ["run_id", "epoch", "epochs"]),
            self.read("predictions", ["run_id"]),
            self.read("failures"),
        )

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        self._fs.create_dir(f"{self._root}/studies", recursive=True)
        body = json.dumps({**plan, "written_at": now().isoformat()}, indent=1).encode()
        self._write_bytes("studies", f"{plan['name']}.json", body)

    def read_plans(self) -> dict[str, dict[str, Any]]:
        """The plan of each study by name. Raises InputError for one that is no plan."""
        plans = {}
        for path in self._files("studies", ".json"):
            with self._fs.open_input_file(path) as source:
                try:
                    plan = json.loads(source.read())
                    plans[plan["name"]] = plan
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(
                        f"{path} is not a study's plan ({_line(error)}):"
                        " run `scaling sweep` again and it is written anew"
                    ) from error
        return plans

    def write_file(self, name: str, body: bytes) -> None:
        """Anything else that belongs to the results, atomically."""
        folder, _, last = name.rpartition("/")
        self._fs.create_dir(f"{self._root}/{folder}", recursive=True)
        self._write_bytes(folder, last, body)

    def read_file(self, name: str) -> bytes | None:
        """What `write_file` wrote; None if there is no such file."""
        path = f"{self._root}/{name}"
        if self._fs.get_file_info(path).type != pafs.FileType.File:
            return None
        with self._fs.open_input_file(path) as source:
            return bytes(source.read())

    def read_files(self, folder: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        """Path and content of each such file in a folder, in the order of their names."""
        for path in self._files(folder, suffix):
            with self._fs.open_input_file(path) as source:
                yield path, source.read()

    def _write(self, kind: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMAS[kind])
        self._fs.create_dir(f"{self._root}/{kind}", recursive=True)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._write_bytes(kind, f"{name}.parquet", sink.getvalue())

    def _write_bytes(self, folder: str, name: str, body: bytes | pa.Buffer) -> None:
        """Visible whole or not at all: files are moved into place, objects appear at close."""
        final = f"{self._root}/{folder}/{name}"
        if not self.is_local:
            with self._fs.open_output_stream(final) as stream:
                stream.write(body)
            return
        parts = self.root / ".part"  # beside the tables, where no reader looks
        parts.mkdir(exist_ok=True)
        part = parts / uuid.uuid4().hex
        try:
            part.write_bytes(body)
            part.replace(final)
        finally:
            part.unlink(missing_ok=True)

    def _files(self, folder: str, suffix: str) -> Iterator[str]:
        selector = pafs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        for info in sorted(self._fs.get_file_info(selector), key=lambda info: info.path):
            hidden = info.base_name.startswith(".")
            if info.type == pafs.FileType.File and info.base_name.endswith(suffix) and not hidden:
                yield info.path

    def _named(self, folder: str, names: Sequence[str]) -> Iterator[str]:
        """The files of these models that are there."""
        paths = [f"{self._root}/{folder}/{name}.parquet" for name in names]
        for info in self._fs.get_file_info(paths):
            if info.type == pafs.FileType.File:
                yield info.path


def pack_correct(correct: NDArray[np.bool_]) -> bytes:
    """One bit an image, the most significant first."""
    return np.packbits(correct).tobytes()


def unpack_correct(packed: bytes, n_test: int) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=n_test).astype(bool)


def now() -> datetime:
    return datetime.now(UTC)


def _joined(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    table = pa.concat_tables([schema.empty_table(), *tables], promote_options="permissive")
    return table.select(schema.names)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
