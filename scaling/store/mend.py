"""Put damaged files and copies aside, so that what they held is trained again; delete nothing."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from scaling.store import record_schema
from scaling.store.contents import Contents
from scaling.store.names import name_of
from scaling.store.state import CorruptFile
from scaling.store.store import SCHEMAS, Store, check_read
from scaling.store.tables import encode


def put_aside(contents: Contents, store: Store) -> Iterator[str]:
    """Move damaged and misplaced files into OUT/damaged; yield a line for each.

    Their sound models, each once, are written into files that have their names: before, except into
    a name that another of these files has. Raises InputError for a file that the disk or the bucket
    does not give.
    """
    check_read(contents.corrupt)
    for file in contents.corrupt:
        if file.kind in record_schema.KINDS:  # no plan: the sweep of its study writes it anew
            where = store.set_aside(f"{file.kind}/{file.name}.json".removeprefix("/"))
            yield f"{file}; it is now {where}"
    doubtful = [f for f in (*contents.corrupt, *contents.misplaced) if f.kind in SCHEMAS]
    kept: list[tuple[str, str, pa.Table]] = []
    lines = list[tuple[CorruptFile, str]]()
    for file in doubtful:
        rows = _sound_rows(file, store)
        runs = pc.unique(rows["run_id"]).to_pylist()
        if runs:
            name = name_of(runs, file.name.rpartition("-")[0] or "kept")
            kept.append((file.kind, name, rows))
        lines.append((file, f", its {len(runs):,} sound models were kept" if runs else ""))
    taken = {(file.kind, file.name) for file in doubtful}
    for kind, name, rows in kept:
        if (kind, name) not in taken:
            store.write_file(f"{kind}/{name}.parquet", encode([rows], SCHEMAS[kind]))
    for file, rest in lines:
        where = store.set_aside(f"{file.kind}/{file.name}.parquet")
        yield f"{file.path}: {file.error}; it is now {where}{rest}"
    for kind, name, rows in kept:
        if (kind, name) in taken:
            store.write_file(f"{kind}/{name}.parquet", encode([rows], SCHEMAS[kind]))


def _sound_rows(file: CorruptFile, store: Store) -> pa.Table:
    """Return the rows of a file that can be believed; none if it is gone."""
    read = store.read_each(file.kind, [file.name]).get(file.name)
    if read is None:
        return SCHEMAS[file.kind].empty_table()
    lost = pc.is_in(read.table["run_id"], value_set=pa.array(file.models, pa.string()))
    return read.table.filter(pc.invert(lost))
