"""Put damaged files and copies aside, so that what they held is trained again; delete nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from scaling.store import record_schema
from scaling.store.contents import Contents, models_of
from scaling.store.names import is_name_of, name_of
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
    kept: list[tuple[str, str, pa.Table]] = []
    lines = list[tuple[CorruptFile, str]]()
    for file in _each_once(contents):
        rows, damaged = _sound_rows(file, store)
        runs = pc.unique(models_of(rows)).to_pylist()
        if not (damaged or file.models) and is_name_of(file.name, runs):
            continue  # another command has written it anew meanwhile
        if runs:
            name = name_of(runs, file.name.rpartition("-")[0] or "kept")
            kept.append((file.kind, name, rows))
        lines.append((file, f", its {len(runs):,} sound models were kept" if runs else ""))
    taken = {(file.kind, file.name) for file, _ in lines}
    for kind, name, rows in kept:
        if (kind, name) not in taken:
            store.write_file(f"{kind}/{name}.parquet", encode([rows], SCHEMAS[kind]))
    for file, rest in lines:
        where = store.set_aside(f"{file.kind}/{file.name}.parquet")
        yield f"{file.path}: {file.error}; it is now {where}{rest}"
    for kind, name, rows in kept:
        if (kind, name) in taken:
            store.write_file(f"{kind}/{name}.parquet", encode([rows], SCHEMAS[kind]))


def _each_once(contents: Contents) -> list[CorruptFile]:
    """Return the damaged and misplaced files of rows; one that is both has both reasons."""
    found: dict[tuple[str, str], CorruptFile] = {}
    for file in (*contents.corrupt, *contents.misplaced):
        if file.kind in SCHEMAS:
            known = found.get(key := (file.kind, file.name))
            both = known and replace(
                known, error=f"{known.error}; {file.error}", models=(*known.models, *file.models)
            )
            found[key] = both or file
    return list(found.values())


def _sound_rows(file: CorruptFile, store: Store) -> tuple[pa.Table, bool]:
    """Return the rows of a file that can be believed, if it is there, and whether any cannot."""
    read = store.read_each(file.kind, [file.name]).get(file.name)
    if read is None:
        return SCHEMAS[file.kind].empty_table(), False
    lost = pc.is_in(models_of(read.table), value_set=pa.array(file.models, pa.string()))
    return read.table.filter(pc.invert(lost)), bool(read.corrupt)
