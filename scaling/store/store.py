"""The results folder: Parquet files by model, and reading that survives damaged files.

A model's rows are one file named by its run_id, so a result that is written twice is replaced and
never doubled. Only this file, schema.py (columns), state.py (tables of results), files.py (folders
and URIs) and scaling/archive/parquet_file.py (published studies) import pyarrow.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.store.bounds import check_bounds
from scaling.store.files import Files, Stamp, WriteError, check_uri, one_line
from scaling.store.plan_schema import parse_edited_plan, parse_plan
from scaling.store.schema import (
    FAILURES,
    METRICS,
    PREDICTIONS,
    SCHEMA_VERSION,
    SCHEMAS,
    cast_to_schema,
    largest_values,
)
from scaling.store.state import CorruptFile, Read, State, state_of
from scaling.untrusted import MOST_SMALL, conform, parse_json, path_inside

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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
    "WriteError",
    "check_uri",
    "now",
    "pack_correct",
    "state_of",
    "unpack_correct",
]

T = TypeVar("T")


class Store:
    """A results folder: metrics/, predictions/, failures/, studies/ and other files."""

    def __init__(self, out: str | Path) -> None:
        """Raise InputError unless `out` is a folder or a URI that pyarrow knows."""
        self._files = Files(out)
        self.out, self.is_local = self._files.out, self._files.is_local

    @property
    def root(self) -> Path:
        """Return the folder, where it is one on this machine."""
        return self._files.root

    def check_writable(self) -> None:
        """Raise InputError unless files can be written here; called before training."""
        if reason := self.unwritable_reason(*SCHEMAS):
            raise InputError(
                f"results cannot be written to {self.out} ({reason}): name another folder"
                " with --out"
            )

    def unwritable_reason(self, *folders: str) -> str | None:
        """Return why files cannot be written to these folders; None if they can."""
        try:
            for folder in folders:
                self._files.make_folder(folder)
            probe = f"{folders[0]}/.probe-{uuid.uuid4().hex[:8]}"  # other processes probe, too
            self._files.write_once(probe, b"ok")
            self._files.delete(probe)
        except (OSError, pa.ArrowException) as error:
            return one_line(error)
        return None

    def exists(self) -> bool:
        """Return whether the folder exists. Raises InputError where that cannot be found out."""
        try:
            return self._files.exists()
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{self.out} cannot be looked at ({one_line(error)}): expected a folder, or a URI"
                " whose server answers and lets us in (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL)"
            ) from error

    def address(self, name: str) -> str:
        """Return the path or URI of a file as a user would write it."""
        return self._files.address(name)

    def stamps(self, kind: str) -> dict[str, Stamp]:
        """Return each file's stamp by run_id; it changes with the model's rows. Opens no file."""
        found = self._files.stamps(kind, ".parquet")
        return {Path(name).stem: stamp for name, stamp in found.items()}

    def write_model(self, rows: Sequence[Mapping[str, Any]], prediction: Mapping[str, Any]) -> None:
        """Write a finished model: predictions first, as metrics mark the model as finished."""
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
        """Return the rows of metrics, predictions or failures: all, or these columns or models."""
        schema = SCHEMAS[kind]
        if columns:
            schema = pa.schema([schema.field(name) for name in columns])
        if names is None:
            paths = list(self._files.names(kind, ".parquet"))
        else:
            paths = [f"{kind}/{name}.parquet" for name in names]
        tables, corrupt = self._each(
            paths, lambda file: cast_to_schema(file.read(schema.names, use_threads=False), schema)
        )
        return Read(pa.concat_tables([schema.empty_table(), *tables]), corrupt)

    def read_each(self, kind: str) -> dict[str, Read]:
        """Return all rows by file name (as in `names` of `read`); a bucket's files in parallel."""
        names = [Path(path).stem for path in self._files.names(kind, ".parquet")]
        found = self._files.each(names, lambda name: self.read(kind, names=[name]))
        return dict(zip(names, found, strict=True))

    def state(self) -> State:
        """Return the state of all models: finished with predictions, or failed.

        Of files of one model only the footers are read, a third of the work (measured).
        """
        return state_of(
            self._read_footers("metrics", ("run_id", "epoch", "epochs")),
            self._read_footers("predictions", ("run_id",)),
            self.read("failures"),
        )

    def _read_footers(self, kind: str, columns: Sequence[str]) -> Read:
        """Return these columns' largest values in each file of one model, all rows of others."""
        schema = pa.schema([SCHEMAS[kind].field(name) for name in columns])
        paths = list(self._files.names(kind, ".parquet"))
        found, corrupt = self._each(paths, lambda file: largest_values(file, schema))
        return Read(pa.concat_tables([schema.empty_table(), *found]), corrupt)

    def _each(
        self, paths: Sequence[str], use: Callable[[pq.ParquetFile], T]
    ) -> tuple[list[T], tuple[CorruptFile, ...]]:
        """Return the results of `use` for each existing file, and the unreadable files."""

        def one(path: str) -> T | CorruptFile | None:
            try:
                if (body := self._files.read(path)) is None:
                    return None
                file = pq.ParquetFile(pa.BufferReader(body))
                check_bounds(file.metadata, len(body))
                return use(file)
            except (pa.ArrowException, OSError, KeyError) as error:
                return CorruptFile(self._files.path(path), one_line(error))

        found = [item for item in self._files.each(paths, one) if item is not None]
        corrupt = tuple(item for item in found if isinstance(item, CorruptFile))
        return [item for item in found if not isinstance(item, CorruptFile)], corrupt

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        body = json.dumps({**plan, "written_at": now().isoformat()}, indent=1).encode()
        self._files.write(f"studies/{plan['name']}.json", body)

    def read_plans(self, *, edited: bool = False) -> dict[str, dict[str, Any]]:
        """Return the plan of each study by name, of `edited` ones whatever else they hold.

        Raises InputError for a file that is no plan.
        """
        plans = {}
        for name in self._files.names("studies", ".json"):
            try:
                if (body := self._files.read(name)) is not None:
                    plan = parse_edited_plan(body) if edited else parse_plan(name, body)
                    plans[plan["name"]] = plan
            except (ValueError, OSError) as error:
                raise InputError(
                    f"{self._files.path(name)} is not a study's plan ({one_line(error)}): run"
                    " `scaling sweep` again and it is written anew, or delete it"
                ) from error
        return plans

    def read_json(
        self, names: Iterable[str], schema: "TypeAdapter[T]"
    ) -> tuple[list[T], tuple[CorruptFile, ...]]:
        """Return what small JSON files hold, and the files that cannot be read or hold another."""
        found, corrupt = list[T](), list[CorruptFile]()
        for name in names:
            try:
                if (body := self._files.read(name)) is not None:
                    found.append(conform(parse_json(body, most=MOST_SMALL), schema))
            except (ValueError, OSError) as error:
                corrupt.append(CorruptFile(self._files.path(name), one_line(error)))
        return found, tuple(corrupt)

    def check_inside(self, *names: str) -> None:
        """Raise InputError where a link leads out of the folder from one of these files."""
        try:
            for name in names if self.is_local else ():
                path_inside(str(self.root), name)
        except OSError as error:
            raise InputError(f"{error}: nothing is written there; remove the link") from error

    def write_file(self, name: str, body: bytes) -> None:
        """Write another file of the results, atomically."""
        self._files.write(name, body)

    def read_file(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        return self._files.read(name)

    def delete_file(self, name: str) -> None:
        """Delete a file if it exists."""
        self._files.delete(name)

    def file_names(self, folder: str, suffix: str) -> list[str]:
        """Return the names of a folder's files, as `read_file` takes them."""
        return list(self._files.names(folder, suffix))

    def _write(self, kind: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMAS[kind])
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._files.write(f"{kind}/{name}.parquet", sink.getvalue())


def pack_correct(correct: NDArray[np.bool_]) -> bytes:
    """Return one bit per image, the most significant first."""
    return np.packbits(correct).tobytes()


def unpack_correct(packed: bytes, n_test: int) -> NDArray[np.bool_]:
    """Return whether each image is correct. Raises ValueError for more images than bits."""
    if not 0 <= n_test <= 8 * len(packed):
        raise ValueError(f"{n_test:,} test images in {8 * len(packed):,} bits")
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=n_test).astype(bool)


def now() -> datetime:
    return datetime.now(UTC)
