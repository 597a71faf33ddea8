"""Rows as the bytes of a sealed Parquet file, and back again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scaling.store.bounds import chunk_range, read_groups
from scaling.store.digest import DamagedError, check_parquet, seal_parquet
from scaling.store.older_files import Reader
from scaling.store.schema import cast_to_schema


@dataclass(frozen=True, slots=True)
class Decoded:
    """The sound rows of a file, whether digests confirm them, and the number of groups lost."""

    table: pa.Table
    sealed: bool
    lost: int = 0


def encode(groups: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """Return tables as a sealed file, each as a row group."""
    sink = pa.BufferOutputStream()
    how = {"compression": "zstd", "write_page_checksum": True}
    with pq.ParquetWriter(sink, schema, **how) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, len(group)))
    body = sink.getvalue()
    return seal_parquet(body.to_pybytes(), group_ends(pq.read_metadata(pa.BufferReader(body))))


def encode_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    """Return rows as a sealed file."""
    return encode([pa.Table.from_pylist([dict(row) for row in rows], schema=schema)], schema)


def decode(body: bytes, schema: pa.Schema, older: Reader) -> Decoded:
    """Return the sound rows of a file in the columns of the schema.

    Raises DamagedError, ArrowException, OSError or KeyError for a file without sound rows, or
    whose columns are others. A file without digests is first read by `older`.
    """
    seal = check_parquet(body)
    if not seal.sealed and (error := older.error_of(body)):
        raise DamagedError(error)
    groups = read_groups(body, schema.names, seal.lost, checked=seal.sealed)
    if seal.lost and not groups:
        raise DamagedError("its rows are not what was written")
    rows = [cast_to_schema(group, schema) for group in groups]
    return Decoded(pa.concat_tables([schema.empty_table(), *rows]), seal.sealed, len(seal.lost))


def group_ends(metadata: pq.FileMetaData) -> list[int]:
    """Return where the bytes of each row group end."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return [max(chunk_range(g.column(i))[1] for i in range(g.num_columns)) for g in groups]
