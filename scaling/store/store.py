"""The results folder: sealed Parquet files of models, plans, and other files.

A file of one model has its run_id as name, one of several a hash of theirs: a result that is
written twice is replaced, and a file that is copied or swapped is found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.store.contents import Contents, FileRows, read_contents
from scaling.store.digest import DamagedError
from scaling.store.documents import Documents, now
from scaling.store.files import Stamp, WriteError
from scaling.store.integrity import CHECKED
from scaling.store.memory import steady_memory
from scaling.store.names import COMPACT, name_of
from scaling.store.older_files import Reader
from scaling.store.schema import FAILURES, METRICS, PREDICTIONS, SCHEMA_VERSION, SCHEMAS
from scaling.store.state import CorruptFile, Read, State, state_of
from scaling.store.tables import decode, encode_rows
from scaling.store.uris import check_uri

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


class Store(Documents):
    """A results folder: metrics/, predictions/, failures/, studies/ and other files."""

    def check_writable(self) -> None:
        """Raise InputError unless files can be written here; called before training."""
        if reason := self.unwritable_reason(*SCHEMAS):
            raise InputError(
                f"results cannot be written to {self.out} ({reason}): see to the disk or the"
                " connection and run the same command again, or name another folder with --out"
            )

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

    @steady_memory()
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
        records, no_records = self.read_records()
        unreadable = [*damaged, *no_records]
        kinds, stamps = [], {}
        for kind in SCHEMAS:
            stamps[kind] = self.stamps(kind)
            chosen = columns if kind == "metrics" else None
            found = list(self._decode(kind, chosen, list(stamps[kind])))
            if len(found) < len(stamps[kind]):
                return None
            kinds.append([each for each in found if isinstance(each, FileRows)])
            unreadable += [each for each in found if isinstance(each, CorruptFile)]
        contents = read_contents(
            *kinds,
            columns=columns,
            plans=plans,
            records=records,
            unreadable=unreadable,
            stamps=stamps,
        )
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
        """Return the rows of these models, given with their cells; damaged files have none.

        Raises InputError for a file that the disk or the bucket does not give.
        """
        cells, schema = {*cell_of.values(), COMPACT}, _schema(kind, columns)
        for _ in range(TRIES):
            names = [Path(name).stem for name in self._files.names(kind, ".parquet")]
            near = [n for n in names if n in cell_of or n.rpartition("-")[0] in cells]
            found = list(self._decode(kind, columns, near))
            if len(found) == len(near):
                break  # else some were compacted meanwhile
        check_read(file for file in found if isinstance(file, CorruptFile))
        tables = [file.table for file in found if isinstance(file, FileRows)]
        rows = pa.concat_tables([schema.empty_table(), *tables])
        return rows.filter(pc.is_in(rows["run_id"], value_set=pa.array(list(cell_of), pa.string())))

    def stored_models(self, cell_of: Mapping[str, str]) -> frozenset[str]:
        """Return those of these models, given with their cells, that are stored."""
        columns = ("run_id", "epoch", "epochs")
        metrics = self.read_models("metrics", cell_of, columns)
        if not len(metrics):
            return frozenset()
        predictions = self.read_models("predictions", cell_of, ("run_id",))
        self.sync("predictions", "metrics")
        return state_of(metrics, predictions, FAILURES.empty_table()).finished

    def _decode(
        self, kind: str, columns: Sequence[str] | None = None, names: Sequence[str] | None = None
    ) -> Iterator[FileRows | CorruptFile]:
        """Yield the rows of each file, or why it cannot be read; a bucket's files in parallel."""
        schema = _schema(kind, columns)

        def one(name: str) -> FileRows | CorruptFile | None:
            file = f"{kind}/{name}.parquet"
            try:
                found = self._files.read_sound(
                    file, lambda body: decode(body, schema, older), lambda found: not found.lost
                )
            except (DamagedError, pa.ArrowException, OSError, KeyError) as error:
                return self._corrupt(file, error)
            if found is None:
                return None
            return FileRows(
                kind=kind,
                name=name,
                path=self._files.path(file),
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

    def _write(self, kind: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._files.write(f"{kind}/{name}.parquet", encode_rows(rows, SCHEMAS[kind]))


def check_read(files: Iterable[CorruptFile]) -> None:
    """Raise InputError for a file that the disk or the bucket does not give: it may be sound."""
    for file in files:
        if file.unread:
            raise InputError(
                f"{file}: see to the disk or the connection and run the same command again; or move"
                " the file away, and its models are trained again"
            )


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
