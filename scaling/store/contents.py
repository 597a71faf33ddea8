"""The content of a results folder, read once for all: sound rows, and the files that are not.

Status, sweep, report, compact and `load` take a folder's models from here, so that they agree.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scaling.store.columns import codes_of
from scaling.store.files import Stamp
from scaling.store.integrity import (
    Faults,
    contradictions,
    faulty_metrics,
    faulty_predictions,
)
from scaling.store.names import COMPACT, is_name_of
from scaling.store.schema import FAILURES, METRICS, PREDICTIONS, PROVENANCE
from scaling.store.state import CorruptFile, State, state_of

# Of a row: the place of its file, and its model (of a failed cell, the cell).
_FILE, _MODEL = pa.field("file", pa.int32()), pa.field("model_of_row", pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """The rows of one file. `lost` counts its row groups that are damaged."""

    kind: str
    name: str
    path: str
    table: pa.Table
    sealed: bool
    lost: int = 0

    def damage(self, faults: Faults | None = None) -> Iterator[CorruptFile]:
        """Yield what is wrong with the file, if anything is: lost groups, and models at fault."""
        said = [f"{self.lost} of its row groups are not what was written"] if self.lost else []
        said += [f"{run}: {fault}" for run, fault in list((faults or {}).items())[:1]]
        if faults and len(faults) > 1:
            said.append(f"{len(faults) - 1:,} more models")
        if said:
            yield self.named("; ".join(said), faults or ())

    def named(self, text: str, models: Iterable[str]) -> CorruptFile:
        return CorruptFile(self.path, text, tuple(models), kind=self.kind, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """The sound rows of a folder, each model's once.

    `misplaced` files have another name than their models give, or hold models that other files
    hold; the latter are not counted. `unverified` counts the files without digests. `sound` has the
    files whose rows are all here, by kind and name, with their stamps from before they were read.
    """

    plans: Mapping[str, Mapping[str, Any]]  # by name
    records: Mapping[str, Sequence[Any]]  # by folder, a benchmark's under ""
    metrics: pa.Table
    predictions: pa.Table
    failures: pa.Table
    corrupt: tuple[CorruptFile, ...]
    misplaced: tuple[CorruptFile, ...]
    unverified: int
    sound: Mapping[str, Mapping[str, Stamp]]

    @property
    def state(self) -> State:
        return state_of(self.metrics, self.predictions, self.failures, self.corrupt)


def read_contents(
    metrics: Sequence[FileRows],
    predictions: Sequence[FileRows],
    failures: Sequence[FileRows],
    *,
    columns: Sequence[str],
    plans: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Sequence[Any]],
    unreadable: Sequence[CorruptFile],
    stamps: Mapping[str, Mapping[str, Stamp]],
) -> Contents:
    """Return the content of these files; `columns` are those of metrics, `stamps` are by kind."""
    rows = _Rows(metrics, pa.schema([METRICS.field(name) for name in columns]))
    bits, failed = _Rows(predictions, PREDICTIONS), _Rows(failures, FAILURES)
    rows.drop_where(faulty_metrics(rows.table, plans.values()))
    bits.drop_where(faulty_predictions(bits.table))
    both = contradictions(rows.table, bits.table)
    rows.drop_where(both)
    bits.drop_where(both)
    kinds = (rows, bits, failed)
    corrupt = (*unreadable, *(file for kind in kinds for file in kind.corrupt()))
    misplaced = tuple(file for kind in kinds for file in kind.misplaced)
    doubtful = {(file.kind, file.name) for file in (*corrupt, *misplaced)}
    return Contents(
        plans=plans,
        records=records,
        metrics=rows.table,
        predictions=bits.table,
        failures=failed.table,
        corrupt=corrupt,
        misplaced=misplaced,
        unverified=sum(not file.sealed for kind in kinds for file in kind.files),
        sound={
            kind: {name: stamp for name, stamp in files.items() if (kind, name) not in doubtful}
            for kind, files in stamps.items()
        },
    )


def models_of(rows: pa.Table) -> pa.ChunkedArray:
    """Return the model of each row, of a failure without one its cell."""
    names = [name for name in ("run_id", "cell_id") if name in rows.column_names]
    return pc.coalesce(*(rows[name] for name in names), "")


class _Rows:
    """The rows of metrics, predictions or failures, each model's of one file."""

    def __init__(self, files: Sequence[FileRows], schema: pa.Schema) -> None:
        """Take each model from one file, from the one that has its name if there is one.

        Of a model's failures the last counts: earlier ones were compacted before it failed again.
        """
        self.files, self.misplaced = files, list[CorruptFile]()
        self._faults: dict[int, Faults] = {}
        tables = [
            file.table.append_column(_FILE, pa.repeat(pa.scalar(i, pa.int32()), len(file.table)))
            for i, file in enumerate(files)
        ]
        rows = pa.concat_tables([schema.append(_FILE).empty_table(), *tables])
        self._all = rows.append_column(_MODEL, models_of(rows))
        last = _last_failures(self._all) if schema is FAILURES else {}
        self._file_of: dict[str, int] = dict(last)
        copies: dict[int, list[str]] = {}
        models = self._models_of_files()
        named = [is_name_of(file.name, models[i]) for i, file in enumerate(files)]
        large = [file.name.startswith(f"{COMPACT}-") for file in files]
        for i in sorted(models, key=lambda i: (not named[i], not large[i])):  # then by name
            twice = [run for run in models[i] if self._file_of.setdefault(run, i) != i]
            if twice:
                copies[i] = twice
                if last and (named[i] or files[i].lost):  # of what is lost, the name tells nothing
                    continue
                same = self._same_results(i, twice)
                if not (same and all(large[self._file_of[run]] for run in twice)):
                    self.misplaced.append(self._copy(i, twice, same))
                # else compaction was interrupted: it goes on
            elif not named[i] and not _may_have_any_name(files[i], models[i]):
                text = f"it holds {models[i][0]}, which belongs into a file of another name"
                self.misplaced.append(files[i].named(text, ()))
        self._copies = copies
        if copies:
            self._drop(copies)

    @property
    def table(self) -> pa.Table:
        return self._all.drop_columns([_FILE.name, _MODEL.name])

    def drop_where(self, faults: Faults) -> None:
        """Leave out models that cannot be right."""
        for run, fault in faults.items():
            if run in self._file_of:
                self._faults.setdefault(self._file_of[run], {})[run] = fault
        if faults:
            keep = pc.invert(pc.is_in(self._all[_MODEL.name], value_set=pa.array(list(faults))))
            self._all = self._all.filter(keep)

    def corrupt(self) -> Iterator[CorruptFile]:
        """Yield each file with damaged rows, and the models that cannot be taken from it."""
        for i, file in enumerate(self.files):
            for found in file.damage(self._faults.get(i)):
                yield replace(found, models=(*found.models, *self._copies.get(i, ())))

    def _models_of_files(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {i: [] for i in range(len(self.files))}
        pairs = self._all.select([_FILE.name, _MODEL.name])
        pairs = pairs.group_by([_FILE.name, _MODEL.name], use_threads=False).aggregate([])
        for i, run in zip(*(column.to_pylist() for column in pairs.columns), strict=True):
            found[i].append(run)
        return found

    def _drop(self, copies: Mapping[int, Sequence[str]]) -> None:
        """Leave these models of these files out."""
        code_of_row, models = codes_of(self._all[_MODEL.name])
        codes = {model: code for code, model in enumerate(models)}
        places = code_of_row * len(self.files) + self._all[_FILE.name].to_numpy()
        left_out = [codes[run] * len(self.files) + i for i, mine in copies.items() for run in mine]
        self._all = self._all.filter(pa.array(~np.isin(places, left_out)))

    def _copy(self, file: int, models: Sequence[str], same: bool) -> CorruptFile:
        other = self.files[self._file_of[models[0]]].name
        more = f" and {len(models) - 1:,} more models" if len(models) > 1 else ""
        results = "the same results" if same else "OTHER results"
        text = f"it holds {models[0]}{more}, which {other} holds with {results}"
        return self.files[file].named(text, models)

    def _same_results(self, file: int, models: Sequence[str]) -> bool:
        """Return whether the files that hold these models have the same rows of them."""
        holders = {self._file_of[run] for run in models}
        theirs = [row for i in holders for row in _results(self.files[i].table, models)]
        return sorted(theirs) == sorted(_results(self.files[file].table, models))


def _last_failures(rows: pa.Table) -> dict[str, int]:
    """Return the file of the last failure of each model."""
    columns = (rows[name].to_pylist() for name in ("created_at", _MODEL.name, _FILE.name))
    ordered = sorted(zip(*columns, strict=True), key=lambda row: (row[0] is not None, *row))
    return {run: file for _, run, file in ordered}


def _results(table: pa.Table, models: Sequence[str]) -> list[str]:
    """Return the rows of models without what differs between two equal trainings."""
    names = [name for name in table.column_names if name not in PROVENANCE]
    rows = table.filter(pc.is_in(table["run_id"], value_set=pa.array(models, pa.string())))
    return [str(row) for row in rows.select(names).to_pylist()]


def _may_have_any_name(file: FileRows, models: Sequence[str]) -> bool:
    """Return whether rows are missing, or a user merged many files into one of their own."""
    return bool(file.lost or not models or (len(models) > 1 and not file.sealed))
