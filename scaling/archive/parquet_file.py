"""Published studies as files that are written once: zstd Parquet, named by study, day and content.

The last part of a name is the beginning of the file's sha256: a file that is damaged or changed is
found by its name, and one of another content never takes its place.
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

from scaling.archive.models import PER_EPOCH, Archive, Row, packed, unpacked
from scaling.errors import InputError
from scaling.store.files import one_line
from scaling.store.schema import FAILURES, METRICS, PREDICTIONS

FORMAT = b"1"  # raised when a file means something else
COLUMNS = pa.schema(
    [
        *METRICS,
        ("curve", pa.list_(pa.struct([METRICS.field(name) for name in PER_EPOCH]))),
        ("correct", pa.binary()),
        ("wrong", pa.binary()),
    ]
)
# Numbers whose digits do not repeat: byte by byte they take a tenth less (measured).
_FLOATS = ("train_loss", "val_loss", "test_loss", "wall_s", "cpu_s")
_BY_BYTE = [*_FLOATS, *(f"curve.list.element.{name}" for name in _FLOATS)]
_LEVEL = 19  # of zstd, assumed: slow to write, which happens once
MOST_BYTES = 6_000_000  # of the folder, and so of each file: a clone has them all, for ever
# What a reader accepts, assumed: many times what this project can publish in that.
_MOST_MODELS, _MOST_VALUES, _MOST_MEMORY = 50_000, 5_000_000, 256_000_000
# What pyarrow and json raise for bytes that are no such file; RecursionError for nested brackets.
_UNREADABLE = (
    *(pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, RecursionError, MemoryError),
)


def to_bytes(archive: Archive) -> bytes:
    """The file of an archive. Raises InputError for results that contradict themselves."""
    rows, header = packed(archive)
    text = json.dumps(header, separators=(",", ":")).encode()
    shrunk = pa.Codec("zstd", compression_level=_LEVEL).compress(text).to_pybytes()
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        COLUMNS,
        compression="zstd",
        compression_level=_LEVEL,
        store_schema=False,
        write_statistics=False,  # a third of a small file, and never searched
        use_byte_stream_split=_BY_BYTE,
        use_dictionary=[name for name in _leaves() if name not in (*_BY_BYTE, "correct", "wrong")],
    ) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))
        writer.add_key_value_metadata({"format": FORMAT, "header": base64.b64encode(shrunk)})
    return bytes(sink.getvalue())


def from_bytes(body: bytes) -> Archive:
    """The archive of a file. Raises InputError for bytes that are no such file."""
    try:
        rows, header = _read(body)
        archive = unpacked(rows, header)
        pa.Table.from_pylist(list(archive.failures), schema=FAILURES)  # refuses other types
        return archive
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise InputError(one_line(error)) from error


def tables(archive: Archive) -> tuple[pa.Table, pa.Table]:
    """Metrics and predictions as the Store reads them."""
    rows = [row for model in archive.models for row in model.rows]
    predictions = [model.prediction for model in archive.models]
    return (
        pa.Table.from_pylist(rows, schema=METRICS),
        pa.Table.from_pylist(predictions, schema=PREDICTIONS),
    )


def write_published(folder: Path, stem: str, suffix: str, day: datetime, body: bytes) -> Path:
    """Add a file to the folder, whole or not at all; one of the same content stays as it is.

    Raises InputError where the folder would grow beyond its limit, or cannot be written.
    """
    digest = hashlib.sha256(body).hexdigest()[:12]
    path = folder / f"{stem}-{day:%Y%m%d}-{digest}{suffix}"
    there = sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
    if not path.exists() and there + len(body) > MOST_BYTES:
        raise InputError(
            f"{path.name} has {len(body):,} bytes and {folder} {there:,}: expected at most"
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
    """The bytes of a published file. Raises InputError unless they are those of its name."""
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
    """The study of a published file. Raises InputError for a file that is damaged or forged."""
    body = read_checked(path)
    try:
        return from_bytes(body)
    except InputError as error:
        raise InputError(
            f"{path} is not a published study ({error}): expected a file that"
            " `python -m jobs.publish` wrote; restore it from the repository"
        ) from error


def read_folder(folder: Path) -> list[Archive]:
    """Every study of a folder, those trained first first. Raises InputError for other files."""
    if not folder.exists():
        return []
    names = sorted(file for file in folder.glob("[!.]*") if file.name != "README.md")
    archives = [read_published(file) for file in names if file.suffix != ".npz"]
    return sorted(archives, key=lambda archive: archive.created_at)


def _read(body: bytes) -> tuple[list[Row], Row]:
    """Read rows and header. Raises ValueError for more than a published file may hold.

    A few forged footers abort pyarrow; a damaged file never gets here, as its name tells.
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
    rows: list[Row] = file.read(use_threads=False).to_pylist()
    return rows, json.loads(text)


def _leaves() -> list[str]:
    """The columns as Parquet names them, those within lists and maps too."""
    sink = pa.BufferOutputStream()
    pq.write_table(COLUMNS.empty_table(), sink, store_schema=False)
    schema: Any = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [schema[i].path for i in range(len(schema))]
