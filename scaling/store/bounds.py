"""Read the row groups of a Parquet file within bounds of memory.

A file of a stranger may promise more than it holds, or hold more than it seems.
"""

from collections.abc import Collection, Sequence
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scaling.store.pages import page_sizes

FIXED = "FIXED_LEN_BYTE_ARRAY"
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZ4", "ZSTD")  # brotli expands a million times
MOST_COLUMNS, MOST_GROUPS = 10_000, 10_000
# A model's row differs from all others in its hash and losses: measured are 20 bytes and more a
# row and a factor of at most 20, in files of thousands of models.
MOST_TIMES, FREE_BYTES = 100, 2**26
FREE_VALUES = 10_000


def check_bounds(metadata: pq.FileMetaData, n_bytes: int) -> None:
    """Raise ArrowInvalid for a footer that promises more than a file of so many bytes can hold."""
    if metadata.num_columns > MOST_COLUMNS or metadata.num_row_groups > MOST_GROUPS:
        _refuse(
            f"{metadata.num_columns:,} columns in {metadata.num_row_groups:,} groups of rows,"
            f" expected at most {MOST_COLUMNS:,} in {MOST_GROUPS:,}"
        )
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    if odd := {chunk.compression for chunk in chunks} - {*CODECS}:
        _refuse(f"compressed by {', '.join(sorted(odd))}, expected {', '.join(CODECS)}")
    values = max([metadata.num_rows, *(chunk.num_values for chunk in chunks)], default=0)
    if not 0 <= values <= n_bytes + FREE_VALUES:
        _refuse(f"{values:,} rows or values in {n_bytes:,} bytes, expected at most one a byte")
    if (packed := sum(chunk.total_compressed_size for chunk in chunks)) > n_bytes:
        _refuse(f"columns of {packed:,} bytes in {n_bytes:,}")
    memory = sum(max(chunk.total_uncompressed_size, 0) for chunk in chunks)
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    memory += values * sum(leaf.length for leaf in leaves if leaf.physical_type == FIXED)
    if memory > _most(n_bytes):
        _refuse(f"{memory:,} bytes once unpacked, expected at most {_most(n_bytes):,}")


def read_groups(
    body: bytes,
    columns: Sequence[str] | None = None,
    lost: Collection[int] = (),
    *,
    checked: bool = True,
) -> list[pa.Table]:
    """Return all row groups but the lost ones; `checked` verifies the checksums of pages.

    A text that 10,000 rows repeat takes no room in a file, whose footer does not tell its length:
    it is read into dictionaries, which hold it once.
    Raises ArrowInvalid for a file beyond its bounds, or with text that is none.
    """
    metadata = pq.read_metadata(pa.BufferReader(body))
    check_bounds(metadata, len(body))
    leaves = (metadata.schema.column(i) for i in range(metadata.num_columns))
    sound = [i for i in range(metadata.num_row_groups) if i not in lost]
    _check_pages(metadata, sound, body)
    file = pq.ParquetFile(
        pa.BufferReader(body),
        metadata=metadata,
        read_dictionary=[leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"],
        page_checksum_verification=checked,
    )
    groups = [file.read_row_group(i, columns, use_threads=False) for i in sound]
    for group in groups:
        group.validate(full=True)
    chunks = (chunk for group in groups for column in group.columns for chunk in column.chunks)
    if (memory := sum(map(_text_bytes, chunks))) > _most(len(body)):
        _refuse(f"{memory:,} bytes of text, expected at most {_most(len(body)):,}")
    return [
        group.cast(pa.schema([field.with_type(_plain(field.type)) for field in group.schema]))
        for group in groups
    ]


def chunk_range(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    """Return where the bytes of a column of a row group begin and end."""
    starts = (chunk.dictionary_page_offset, chunk.data_page_offset)
    start = min((start for start in starts if start), default=0)  # pyarrow writes 0 for no page
    return start, start + chunk.total_compressed_size


def _check_pages(metadata: pq.FileMetaData, groups: Sequence[int], body: bytes) -> None:
    """Raise ArrowInvalid for pages that are larger than their file can hold.

    A footer may give smaller sizes, but pyarrow takes the memory that a page asks for.
    """
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    widths = [leaf.length if leaf.physical_type == FIXED else 0 for leaf in leaves]
    memory, most = 0, 2 * (len(body) + FREE_VALUES)  # values, those of dictionaries among them
    for group in map(metadata.row_group, groups):
        for column, width in enumerate(widths):
            try:
                pages = list(page_sizes(body, *chunk_range(group.column(column))))
            except ValueError as error:
                _refuse(str(error))
            values = sum(n for _, n in pages)
            memory += sum(unpacked for unpacked, _ in pages) + width * values
            if values > most:
                _refuse(f"{values:,} values in a column of {len(body):,} bytes")
    if memory > _most(len(body)):
        _refuse(f"pages of {memory:,} bytes, expected at most {_most(len(body)):,}")


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type with texts in place of dictionaries of them."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    return kind


def _text_bytes(array: pa.Array) -> int:
    """Return the bytes of all texts of an array, each row's counted."""
    if pa.types.is_map(array.type):
        return _text_bytes(array.keys) + _text_bytes(array.items)
    if pa.types.is_struct(array.type):
        return sum(map(_text_bytes, array.flatten()))
    if pa.types.is_nested(array.type) and hasattr(array, "values"):  # lists of any kind
        return _text_bytes(array.values)
    if not pa.types.is_dictionary(array.type):
        return 0
    lengths = pc.binary_length(array.dictionary)
    times = np.bincount(pc.drop_null(array.indices), minlength=len(lengths))
    return int(times @ pc.fill_null(lengths, 0).to_numpy().astype(np.int64))


def _most(n_bytes: int) -> int:
    return FREE_BYTES + MOST_TIMES * n_bytes


def _refuse(text: str) -> NoReturn:
    raise pa.ArrowInvalid(f"it holds {text}")
