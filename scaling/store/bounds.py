"""Bounds of a Parquet file, checked by its footer before memory is taken for its pages.

A file of a stranger may promise more than it holds, or hold more than it seems.
"""

import pyarrow as pa
import pyarrow.parquet as pq

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
    memory = sum(max(chunk.total_uncompressed_size, 0) for chunk in chunks)
    most = FREE_BYTES + MOST_TIMES * n_bytes
    if memory > most:
        _refuse(f"{memory:,} bytes once unpacked, expected at most {most:,}")


def _refuse(text: str) -> None:
    raise pa.ArrowInvalid(f"its footer promises {text}")
