"""Points of a user: a CSV or Parquet file of sizes, errors and perhaps standard errors."""

import bz2
import gzip
import io
import lzma
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.laws.learning_curve import Series, make_series
from scaling.errors import InputError
from scaling.store.bounds import MOST_COLUMNS, read_groups
from scaling.untrusted import read_regular

MOST_POINTS = 2**26  # bytes; assumed
COMPRESSED: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
PARQUET = (".parquet", ".pq")


def read_points(path: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table with these columns. Raises InputError for a bad file or a missing column."""
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise InputError(f"column {twice[0]} is given twice: give each option a column of its own")
    file = Path(path)
    parquet = file.suffix.lower() in PARQUET
    if not file.exists():
        raise InputError(f"points {path}: no such file")
    try:
        body = read_regular(file, MOST_POINTS)
        table = _read_parquet(body) if parquet else _read_csv(_unpacked(body, file.suffix.lower()))
    except UnicodeDecodeError as error:
        raise InputError(f"points {path} is not in UTF-8 ({error}): save it as UTF-8") from error
    except Exception as error:  # a damaged file may raise anything
        raise InputError(f"points {path} cannot be read as CSV or Parquet ({error})") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(
            f"points {path} have no column {', '.join(missing)}: they have"
            f" {', '.join(map(str, table.columns))}"
        )
    doubled = [column for column in columns if f"{column}.1" in table.columns]
    if doubled and not parquet:  # pandas gives the second of a name this one
        raise InputError(
            f"points {path} have the column {doubled[0]} twice (or {doubled[0]}.1 beside it):"
            " rename or leave out one"
        )
    return table


def _read_parquet(body: bytes) -> pd.DataFrame:
    schema = pq.read_schema(pa.BufferReader(body))
    rows = pa.concat_tables(read_groups(body) or [schema.empty_table()])
    table: pd.DataFrame = rows.replace_schema_metadata(schema.metadata).to_pandas()
    return table


def _unpacked(body: bytes, suffix: str) -> io.BytesIO:
    """Return the text of a file that may be compressed. Raises ValueError for too much of it."""
    if suffix in COMPRESSED:
        with COMPRESSED[suffix](io.BytesIO(body)) as file:
            body = file.read(MOST_POINTS + 1)
    elif suffix in (".zip", ".zst", ".tar"):
        raise ValueError("unpack it")
    if len(body) > MOST_POINTS:
        raise ValueError(f"more than {MOST_POINTS:,} bytes when decompressed")
    columns = 1 + max(body[: body.find(b"\n")].count(mark) for mark in (b",", b";"))
    if columns > MOST_COLUMNS:
        raise ValueError(f"{columns:,} columns, expected at most {MOST_COLUMNS:,}")
    return io.BytesIO(body)


def _read_csv(file: io.BytesIO) -> pd.DataFrame:
    """Read a CSV file; rows longer than the header are an error, and not an index."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(file, index_col=False)


def split_groups(
    table: pd.DataFrame, group: Sequence[str]
) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Yield the rows of each combination of the group columns, in the order of the file."""
    if not group:
        yield {}, table
        return
    for key, rows in table.groupby(list(group), sort=False, dropna=False):
        yield dict(zip(group, key, strict=True)), rows


def read_series(
    path: str,
    *,
    x: str,
    y: str,
    se: str | None = None,
    group: Sequence[str] = (),
    split: str | None = None,
) -> list[Series]:
    """Return the cleaned curve of each group. Raises InputError for columns without numbers."""
    named = [x, y, *([se] if se else []), *([split] if split else [])]
    table = read_points(path, [*named, *group])
    table = as_numbers(path, table, named)
    if split and not table[split].isin([0, 1]).all():
        raise InputError(f"points {path}: column {split} must be 1 (to fit) or 0 (to test)")
    return [
        make_series(
            named_group, rows[x], rows[y], rows[se] if se else None, rows[split] if split else None
        )
        for named_group, rows in split_groups(table, group)
    ]


def as_numbers(path: str, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table with these columns as floats, however they are stored.

    Raises InputError for words, dates and booleans.
    """
    floats = {}
    for column in columns:
        values = pd.to_numeric(table[column], errors="coerce")
        other = table[column].dtype.kind in "bMm"  # to_numeric would make numbers of these
        bad = table[column][table[column].notna() & (values.isna() | other)]
        if len(bad):
            raise InputError(
                f"points {path}: column {column} must hold numbers, got '{bad.iloc[0]}'"
            )
        floats[column] = values.to_numpy(float, na_value=np.nan)
    return table.assign(**floats)
