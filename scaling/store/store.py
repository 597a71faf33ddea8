"""The results folder: sealed Parquet files of models, plans, and other files.

A file of one model has its run_id as name, one of several a hash of theirs: a result that is
written twice is replaced, and a file that is copied or swapped is found.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.store.contents import Contents, FileRows, read_contents
from scaling.store.digest import DamagedError, open_json, seal_json
from scaling.store.files import Files, Stamp, WriteError, check_uri, one_line
from scaling.store.integrity import CHECKED
from scaling.store.names import COMPACT, name_of
from scaling.store.older_files import Reader
from scaling.store.plan_schema import parse_edited_plan, parse_plan
from scaling.store.schema import FAILURES, METRICS, PREDICTIONS, SCHEMA_VERSION, SCHEMAS
from scaling.store.state import CorruptFile, Read, State, state_of
from scaling.store.tables import decode, encode_rows
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

TRIES = 5  # to read a folder whose files change meanwhile
Model = tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]  # rows of metrics, prediction

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
        """Write a finished model into a file that has its run_id as name."""
        self.write_models([(rows, prediction)], prefix="")

    def write_models(self, models: Sequence[Model], prefix: str) -> None:
        """Write finished models into a file: predictions first, as metrics mark them as finished.

        `prefix` begins the name of a file of several models.
        """
        if models:
            name = name_of([prediction["run_id"] for _, prediction in models], prefix)
            self._write("predictions", name, [prediction for _, prediction in models])
            self._write("metrics", name, [row for rows, _ in models for row in rows])

    def write_failure(self, failure: Mapping[str, Any]) -> None:
        self._write(
            "failures",
            failure["run_id"] or failure["cell_id"],
            [{"created_at": now(), "traceback": "", **failure}],
        )

    def contents(self, *, whole: bool = True) -> Contents:
        """Return the plans, the sound rows of all models, and the files that are doubtful.

        `whole` returns every column of the metrics, else those that a check needs.
        Raises InputError for rows of a newer version.
        """
        for _ in range(TRIES):
            if contents := self._read_contents(METRICS.names if whole else list(CHECKED)):
                return contents
        raise InputError(f"{self.out} changes while it is read: wait for what writes there")

    def _read_contents(self, columns: Sequence[str]) -> Contents | None:
        """Return the contents; None if files vanished meanwhile, as while they are compacted."""
        plans, damaged = self.find_plans()
        unreadable = list(damaged)
        kinds = []
        for kind in SCHEMAS:
            names = [Path(path).stem for path in self._files.names(kind, ".parquet")]
            found = list(self._decode(kind, columns if kind == "metrics" else None, names))
            if len(found) < len(names):
                return None
            kinds.append([each for each in found if isinstance(each, FileRows)])
            unreadable += [each for each in found if isinstance(each, CorruptFile)]
        contents = read_contents(*kinds, columns=columns, plans=plans, unreadable=unreadable)
        newest = pc.max(contents.metrics["schema_version"]).as_py() or SCHEMA_VERSION
        if newest > SCHEMA_VERSION:
            raise InputError(
                f"{self.out} holds rows of schema version {newest}, expected at most"
                f" {SCHEMA_VERSION}: install the version of the package that wrote them, or a newer"
            )
        return contents

    def state(self) -> State:
        """Return the state of all models: finished with predictions, or failed."""
        return self.contents(whole=False).state

    def read_each(
        self,
        kind: str,
        names: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> dict[str, Read]:
        """Return rows of files by their names, of all files or of these."""
        found: dict[str, Read] = {}
        for each in self._decode(kind, columns, names):
            if isinstance(each, CorruptFile):
                found[each.name] = Read(_schema(kind, columns).empty_table(), (each,))
            else:
                found[each.name] = Read(each.table, tuple(each.damage()), each.sealed)
        return found

    def read(
        self,
        kind: str,
        columns: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
    ) -> Read:
        """Return the rows of all files, or of these, as they are; `contents` checks them."""
        found = self.read_each(kind, names, columns).values()
        tables = [_schema(kind, columns).empty_table(), *(read.table for read in found)]
        return Read(pa.concat_tables(tables), tuple(c for read in found for c in read.corrupt))

    def read_models(
        self, kind: str, cell_of: Mapping[str, str], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the rows of these models, given with their cells; damaged files have none."""
        names = [Path(name).stem for name in self._files.names(kind, ".parquet")]
        cells, schema = set(cell_of.values()), _schema(kind, columns)
        near = [n for n in names if n in cell_of or n.rpartition("-")[0] in {*cells, COMPACT}]
        found = [f.table for f in self._decode(kind, columns, near) if isinstance(f, FileRows)]
        rows = pa.concat_tables([schema.empty_table(), *found])
        return rows.filter(pc.is_in(rows["run_id"], value_set=pa.array(list(cell_of), pa.string())))

    def stored_models(self, cell_of: Mapping[str, str]) -> frozenset[str]:
        """Return those of these models, given with their cells, that are stored."""
        columns = ("run_id", "epoch", "epochs")
        metrics = self.read_models("metrics", cell_of, columns)
        if not len(metrics):
            return frozenset()
        predictions = self.read_models("predictions", cell_of, ("run_id",))
        return state_of(metrics, predictions, FAILURES.empty_table()).finished

    def _decode(
        self, kind: str, columns: Sequence[str] | None = None, names: Sequence[str] | None = None
    ) -> Iterator[FileRows | CorruptFile]:
        """Yield the rows of each file, or why it cannot be read; a bucket's files in parallel."""
        schema = _schema(kind, columns)

        def one(name: str) -> FileRows | CorruptFile | None:
            path = self._files.path(f"{kind}/{name}.parquet")
            try:
                if (body := self._files.read(f"{kind}/{name}.parquet")) is None:
                    return None
                found = decode(body, schema, older)
            except (DamagedError, pa.ArrowException, OSError, KeyError) as error:
                return CorruptFile(path, one_line(error), kind=kind, name=name)
            return FileRows(
                kind=kind,
                name=name,
                path=path,
                table=found.table,
                sealed=found.sealed,
                lost=found.lost,
            )

        if names is None:
            names = [Path(path).stem for path in self._files.names(kind, ".parquet")]
        with Reader() as older:
            for each in self._files.each(names, one):
                if each is not None:
                    yield each

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        body = seal_json({**plan, "written_at": now().isoformat()}, indent=1)
        self._files.write(f"studies/{plan['name']}.json", body)

    def read_plans(self, *, edited: bool = False) -> dict[str, dict[str, Any]]:
        """Return the plan of each study by name, of `edited` ones whatever else they hold.

        Raises InputError for a file that is no plan.
        """
        plans, damaged = self.find_plans(edited=edited)
        for file in damaged:
            raise InputError(
                f"{file.path} is not a study's plan ({file.error}):"
                " run `scaling sweep` again and it is written anew, or delete it"
            )
        return plans

    def find_plans(
        self, *, edited: bool = False
    ) -> tuple[dict[str, dict[str, Any]], tuple[CorruptFile, ...]]:
        """Return the plan of each study by name, and the files that are no plans."""
        plans, damaged = {}, []
        for file in self._files.names("studies", ".json"):
            stem = Path(file).stem
            try:
                if (body := self._files.read(file)) is not None:
                    parse = parse_edited_plan if edited else partial(parse_plan, file)
                    plan = open_json(body, parse)
                    plans[plan["name"]] = plan
            except (ValueError, OSError) as error:
                path = self._files.path(file)
                damaged.append(CorruptFile(path, one_line(error), kind="studies", name=stem))
        return plans, tuple(damaged)

    def set_aside(self, name: str) -> str:
        """Move a file into damaged/ and return its path there; no file there is replaced."""
        number, (stem, dot, suffix) = 1, name.rpartition(".")
        target = f"damaged/{name}"
        while self._files.existing([target]):
            number += 1
            target = f"damaged/{stem}-{number}{dot}{suffix}"
        self._files.move(name, target)
        return self._files.path(target)

    def read_json(
        self, names: Iterable[str], schema: "TypeAdapter[T]"
    ) -> tuple[list[T], tuple[CorruptFile, ...]]:
        """Return what small JSON files hold, and the files that cannot be read or hold another."""
        found, corrupt = list[T](), list[CorruptFile]()
        for name in names:
            try:
                if (body := self._files.read(name)) is not None:
                    value = open_json(body, partial(parse_json, most=MOST_SMALL))
                    found.append(conform(value, schema))
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

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a small JSON file with its digest, atomically."""
        self._files.write(name, seal_json(value, indent=1, allow_nan=False))

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
        self._files.write(f"{kind}/{name}.parquet", encode_rows(rows, SCHEMAS[kind]))


def _schema(kind: str, columns: Sequence[str] | None) -> pa.Schema:
    schema = SCHEMAS[kind]
    return pa.schema([schema.field(name) for name in columns]) if columns else schema


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
