"""Put damaged files and copies aside, so that what they held is trained again; delete nothing."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from scaling.store.contents import Contents
from scaling.store.names import name_of
from scaling.store.record_schema import RECORDS
from scaling.store.state import CorruptFile
from scaling.store.store import SCHEMAS, Store
from scaling.store.tables import encode

NO_FOLDER = ""  # of a benchmark


def put_aside(contents: Contents, store: Store) -> Iterator[str]:
    """Move damaged and misplaced files into OUT/damaged; yield a line for each.

    Their sound models, each once, are then written into files that have their names.
    """
    kept: list[tuple[str, str, pa.Table]] = []
    for file in (*contents.corrupt, *contents.misplaced):
        if file.kind == "studies":  # the sweep of that study writes it anew
            continue
        if file.kind in (*RECORDS, NO_FOLDER):
            where = store.set_aside(f"{file.kind}/{file.name}.json".removeprefix("/"))
            yield f"{file}; it is now {where}"
            continue
        rows = _sound_rows(file, store)
        runs = pc.unique(rows["run_id"]).to_pylist()
        if runs:
            name = name_of(runs, file.name.rpartition("-")[0] or "kept")
            kept.append((file.kind, name, rows))
        where = store.set_aside(f"{file.kind}/{file.name}.parquet")
        rest = f", its {len(runs):,} sound models were kept" if runs else ""
        yield f"{file.path}: {file.error}; it is now {where}{rest}"
    for kind, name, rows in kept:  # now that no misplaced file is left to be replaced
        store.write_file(f"{kind}/{name}.parquet", encode([rows], SCHEMAS[kind]))


def _sound_rows(file: CorruptFile, store: Store) -> pa.Table:
    (read,) = store.read_each(file.kind, [file.name]).values()
    lost = pc.is_in(read.table["run_id"], value_set=pa.array(file.models, pa.string()))
    return read.table.filter(pc.invert(lost))
