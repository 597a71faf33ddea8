"""Rewrite many small files as a few large ones, sorted by cell; no model is lost at any time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from scaling.store.contents import Contents, models_of
from scaling.store.files import WriteError
from scaling.store.memory import steady_memory
from scaling.store.names import COMPACT, name_of
from scaling.store.schema import SCHEMAS
from scaling.store.store import Store
from scaling.store.tables import encode

FILE, GROUP = 8192, 256  # models of a file and of a row group, assumed: of a group all may be lost
MANY = 2000  # files from which a sweep compacts by itself; `status` reads so many in seconds
KINDS = ("predictions", "metrics", "failures")  # metrics mark a model as finished: after its bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What was there before and after: files and their bytes."""

    models: int
    files_before: int
    files: int
    bytes_before: int
    bytes: int


@steady_memory()
def compact(
    contents: Contents, store: Store, between: Callable[[], None] = lambda: None
) -> Compacted:
    """Write the sound rows into large files, read these back, then delete the files they came from.

    No other file is deleted: others may write meanwhile. A compaction that is interrupted leaves
    some models in two files, which count once; the next one goes on. Raises WriteError where a file
    cannot be written or read back, before anything is deleted. Damaged and misplaced files are to
    be put aside before. `between` is called between two files.
    """
    before = {kind: store.stamps(kind) for kind in KINDS}
    after: dict[str, set[str]] = {}
    for kind in KINDS:
        after[kind] = set()
        for models, rows in _files(getattr(contents, kind), contents.metrics):
            name = name_of(models, COMPACT) if len(models) > 1 else models[0]
            after[kind].add(name)
            # A failure may be newer than the one in a file of the same name.
            if name not in contents.sound[kind] or len(models) == 1 or kind == "failures":
                _write(kind, name, rows, store)
            between()
    store.sync(*KINDS)  # a file that was here already, too
    for kind in reversed(KINDS):
        now = store.stamps(kind)
        for name, stamp in contents.sound[kind].items():
            if name not in after[kind] and now.get(name) == stamp:  # else it was written anew
                store.delete_file(f"{kind}/{name}.parquet")
            between()
    stamps = {kind: store.stamps(kind) for kind in KINDS}
    return Compacted(
        models=len(pc.unique(contents.metrics["run_id"])),
        files_before=sum(map(len, before.values())),
        files=sum(map(len, stamps.values())),
        bytes_before=sum(size for files in before.values() for size, _ in files.values()),
        bytes=sum(size for files in stamps.values() for size, _ in files.values()),
    )


def _files(rows: pa.Table, metrics: pa.Table) -> Iterator[tuple[list[str], list[pa.Table]]]:
    """Yield the models of each file, and its row groups."""
    model_of = models_of(rows)
    if "cell_id" in rows.column_names:
        cell_of = rows["cell_id"]
    else:
        at = pc.index_in(model_of, value_set=metrics["run_id"].combine_chunks())
        cell_of = metrics["cell_id"].take(at)
    epoch_of = rows["epoch"] if "epoch" in rows.column_names else pa.nulls(len(rows), pa.int64())
    keys = pa.table({"cell": cell_of, "model": model_of, "epoch": epoch_of})
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])
    rows, model_of = rows.take(order), model_of.take(order).combine_chunks()
    models = pc.unique(model_of).to_pylist()
    starts = pc.index_in(pa.array(models, pa.string()), value_set=model_of).to_pylist()
    starts.append(len(rows))
    for first in range(0, len(models), FILE):
        last = min(first + FILE, len(models))
        ends = [*range(first, last, GROUP), last]
        groups = [rows.slice(starts[a], starts[b] - starts[a]) for a, b in pairwise(ends)]
        yield models[first:last], groups


def _write(kind: str, name: str, groups: list[pa.Table], store: Store) -> None:
    store.write_file(f"{kind}/{name}.parquet", encode(groups, SCHEMAS[kind]))
    found = store.read_each(kind, [name]).get(name)
    if found is None or found.corrupt or not found.table.equals(pa.concat_tables(groups)):
        raise WriteError(
            f"{kind}/{name}.parquet of {store.out} cannot be read back as it was written: see to"
            " the disk; nothing was deleted"
        )
