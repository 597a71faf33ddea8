"""Published studies as files that never change: zstd Parquet, named by study, day and content.

A name ends with the beginning of the file's sha256, so that a damaged or changed file is detected
and a file with other content never replaces it.
"""

import base64
import hashlib
import json
import re
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scaling.archive.models import PER_EPOCH, Archive, Row, pack, unpack
from scaling.errors import InputError
from scaling.store.bounds import read_groups
from scaling.store.retries import one_line
from scaling.store.schema import FAILURES, METRICS, PREDICTIONS

FORMAT = b"1"  # raised when the meaning of a file changes
COLUMNS = pa.schema(
    [
        *METRICS,
        ("curve", pa.list_(pa.struct([METRICS.field(name) for name in PER_EPOCH]))),
        ("correct", pa.binary()),
        ("wrong", pa.binary()),
    ]
)
# Numbers without repeating digits: split byte by byte they take a tenth less (measured).
_FLOATS = ("train_loss", "val_loss", "test_loss", "wall_s", "cpu_s")
_BY_BYTE = [*_FLOATS, *(f"curve.list.element.{name}" for name in _FLOATS)]
_LEVEL = 19  # of zstd; assumed; slow, but files are written once
MOST_BYTES = 6_000_000  # of the whole folder, as every clone of the repository holds it for ever
# Limits of the reader; assumed: many times the content of the largest folder.
_MOST_MODELS, _MOST_VALUES, _MOST_MEMORY = 50_000, 5_000_000, 256_000_000
# Errors of pyarrow and json for other bytes than a published file's; nested brackets give
# RecursionError.
_UNREADABLE = (
    *(pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, RecursionError, MemoryError),
)


def to_bytes(archive: Archive) -> bytes:
    """Return the file of an archive. Raises InputError for results that contradict themselves."""
    rows, header = pack(archive)
    text = json.dumps(header, separators=(",", ":")).encode()
    shrunk = pa.Codec("zstd", compression_level=_LEVEL).compress(text).to_pybytes()
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        COLUMNS,
        compression="zstd",
        compression_level=_LEVEL,
        store_schema=False,
        write_statistics=False,  # a third of a small file, and never used
        use_byte_stream_split=_BY_BYTE,
        use_dictionary=[name for name in _leaves() if name not in (*_BY_BYTE, "correct", "wrong")],
    ) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))
        writer.add_key_value_metadata({"format": FORMAT, "header": base64.b64encode(shrunk)})
    return bytes(sink.getvalue())


def from_bytes(body: bytes) -> Archive:
    """Return the archive of a file. Raises InputError for other bytes than a published file's."""
    try:
        rows, header = _read(body)
        archive = unpack(rows, header)
        pa.Table.from_pylist(list(archive.failures), schema=FAILURES)  # raises for other types
        return archive
    except _UNREADABLE as error:
        raise InputError(one_line(error)) from error


def tables(archive: Archive) -> tuple[pa.Table, pa.Table]:
    """Return metrics and predictions as the Store reads them."""
    rows = [row for model in archive.models for row in model.rows]
    predictions = [model.prediction for model in archive.models]
    return (
        pa.Table.from_pylist(rows, schema=METRICS),
        pa.Table.from_pylist(predictions, schema=PREDICTIONS),
    )


def write_published(folder: Path, stem: str, suffix: str, day: datetime, body: bytes) -> Path:
    """Add a file to the folder atomically, unless it is there, and return its path.

    Raises InputError if the folder would exceed its limit or cannot be written.
    """
    digest = hashlib.sha256(body).hexdigest()[:12]
    path = folder / f"{stem}-{day:%Y%m%d}-{digest}{suffix}"
    present = sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
    if not path.exists() and present + len(body) > MOST_BYTES:
        raise InputError(
            f"{path.name} has {len(body):,} bytes and {folder} {present:,}: expected at most"
            f" {MOST_BYTES:,} in all, as every clone has them for ever; publish fewer models"
        )
    part = folder / f".{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            part.write_bytes(body)
            part.replace(path)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({one_line(error)})") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def read_checked(path: Path) -> bytes:
    """Return the bytes of a published file. Raises InputError if its name has another checksum."""
    match = re.fullmatch(r".+-\d{8}-([0-9a-f]{12})\.(parquet|npz)", path.name)
    try:
        if match is None:
            raise ValueError("its name is not STUDY-DAY-CHECKSUM.parquet")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ValueError(f"{size:,} bytes, at most {MOST_BYTES:,}")
        body = path.read_bytes()
        if not (digest := hashlib.sha256(body).hexdigest()).startswith(match[1]):
            raise ValueError(f"its sha256 begins with {digest[:12]}, not with {match[1]}")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is not a published file as it was written ({one_line(error)}): restore it from"
            " the repository"
        ) from error
    return body


def read_published(path: Path) -> Archive:
    """Return the study of a published file. Raises InputError for a damaged or forged file."""
    body = read_checked(path)
    try:
        return from_bytes(body)
    except InputError as error:
        raise InputError(
            f"{path} is not a published study ({error}): expected a file that"
            " `python -m jobs.publish` wrote; restore it from the repository"
        ) from error


def read_folder(folder: Path) -> list[Archive]:
    """Return every study of a folder in order of training. Raises InputError for other files."""
    if not folder.exists():
        return []
    names = sorted(file for file in folder.glob("[!.]*") if file.name != "README.md")
    archives = [read_published(file) for file in names if file.suffix != ".npz"]
    return sorted(archives, key=lambda archive: archive.created_at)


def _read(body: bytes) -> tuple[list[Row], Row]:
    """Return rows and header. Raises ValueError for more than a published file may hold.

    A few forged footers abort pyarrow; damaged files are rejected before, by their checksum.
    """
    file = pq.ParquetFile(pa.BufferReader(body))
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    memory = sum(chunk.total_uncompressed_size for chunk in chunks)
    values = max((chunk.num_values for chunk in chunks), default=0)
    n_rows = file.metadata.num_rows
    if n_rows > _MOST_MODELS or values > _MOST_VALUES or memory > _MOST_MEMORY:
        raise ValueError(f"{n_rows:,} models, {values:,} values, {memory:,} bytes: too many")
    metadata = file.metadata.metadata or {}
    if metadata.get(b"format") != FORMAT:
        raise ValueError(f"format {metadata.get(b'format')!r}, expected {FORMAT!r}")
    if not file.schema_arrow.equals(COLUMNS):
        raise ValueError(f"other columns than those of format {FORMAT.decode()}")
    shrunk = base64.b64decode(metadata[b"header"], validate=True)
    text = pa.CompressedInputStream(pa.BufferReader(shrunk), "zstd").read(_MOST_MEMORY)
    rows: list[Row] = pa.concat_tables(read_groups(body)).to_pylist()
    return rows, json.loads(text)


def _leaves() -> list[str]:
    """Return the columns as Parquet names them, including those within lists and maps."""
    sink = pa.BufferOutputStream()
    pq.write_table(COLUMNS.empty_table(), sink, store_schema=False)
    schema: Any = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [schema[i].path for i in range(len(schema))]
