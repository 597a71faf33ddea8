"""Files that take more memory than they seem to: each is refused by a child within 500 MB."""

import gzip
import io
import os
import resource
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laws.points import read_points
from scaling.data import published
from scaling.errors import InputError
from scaling.store.bounds import CODECS, check_bounds, chunk_range, read_groups
from scaling.store.pages import page_sizes
from scaling.store.schema import METRICS, PREDICTIONS, SCHEMAS
from scaling.store.store import Store, unpack_correct

MOST_MB = 500
CHILD = """
from {module} import {name}
try:
    print({call})
except Exception as error:
    print(type(error).__name__, str(error)[:300])
with open("/proc/self/status") as file:  # getrusage counts what the parent had
    print("MB", next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")))
"""
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux's memory")


def told(module: str, name: str, call: str) -> str:
    """Return what a child says of a call, which keeps within its memory."""
    code = CHILD.format(module=module, name=name, call=call)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))  # it fails and does no harm

    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=limited
    )
    said, _, mb = out.stdout.rpartition("MB ")
    assert mb, out.stderr[-2000:]
    assert float(mb) < MOST_MB, said
    return said


def zeros(path: Path, n_bytes: int, shape: tuple[int, ...]) -> None:
    """Write an .npz file whose images are of this shape, and unpack to so many zero bytes."""
    header = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("x_train.npy", "w", force_zip64=True) as array:
            array.write(header.getvalue())
            for _ in range(n_bytes // 2**20):
                array.write(bytes(2**20))
        for name in ("y_train", "x_test", "y_test"):
            body = io.BytesIO()
            np.save(body, np.zeros((2, 16, 16)[: 3 if name[0] == "x" else 1], np.uint8))
            file.writestr(f"{name}.npy", body.getvalue())


@pytest.mark.parametrize("promised", [False, True])
def test_a_data_file_that_unpacks_to_much_is_refused(promised: bool, tmp_path: Path) -> None:
    n = 40_000_000 if promised else 300 * 4096  # images of 256 bytes
    zeros(tmp_path / "x.npz", 2**20 if promised else 300 * 2**20, (n, 16, 16))
    said = told("scaling.data.formats", "inspect_npz", f"inspect_npz({str(tmp_path / 'x.npz')!r})")
    assert said.startswith("InputError")
    assert "bytes once unpacked, expected at most" in said


def test_a_download_that_unpacks_to_much_is_refused_before_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(2**20)) * 700)
    call = f"checked(__import__('pathlib').Path({str(path)!r}), 'a')"
    said = told("scaling.data.published", "checked", call)
    assert said.startswith("InputError")
    assert "bytes when decompressed" in said


def test_an_endless_download_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from scaling.data import download

    class Endless:
        headers: dict[str, str] = {}  # noqa: RUF012

        def raise_for_status(self) -> None: ...

        def iter_content(self, size: int) -> object:
            return (bytes(size) for _ in iter(int, 1))

    monkeypatch.setattr(download, "_answer", lambda _: Endless())
    monkeypatch.setattr(download, "MOST_UNZIPPED", 2**20)
    with pytest.raises(download.Unavailable, match=r"more than 1,048,576 bytes"):
        download.fetch(["http://127.0.0.1/x"], tmp_path / "x", "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["studies/x.json", "runs/x.json", "metrics/x.parquet"])
def test_a_file_of_2_gb_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir()
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**31)
    call = {
        "studies/x.json": "Store({!r}).read_plans()",
        "runs/x.json": "Store({!r}).read_json(['runs/x.json'], None)",
        "metrics/x.parquet": "Store({!r}).read('metrics').corrupt",
    }[name].format(str(tmp_path))
    said = told("scaling.store.store", "Store", call)
    assert "it has 2,147,483,648 bytes, expected at most" in said


def test_json_of_too_many_values_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "x.json").write_bytes(b"[" + b"[]," * 9_000_000 + b"[]]")
    said = told("scaling.store.store", "Store", f"Store({str(tmp_path)!r}).read_plans()")
    assert "18,000,002 values, expected at most" in said


def test_points_that_unpack_to_much_are_refused(tmp_path: Path) -> None:
    member = gzip.compress(b"1,2\n" * 2**18)
    (tmp_path / "x.csv.gz").write_bytes(member * 700)
    call = f"read_points({str(tmp_path / 'x.csv.gz')!r}, ['a'])"
    said = told("analysis.laws.points", "read_points", call)
    assert said.startswith("InputError")
    assert "when decompressed" in said
    (tmp_path / "x.csv").write_bytes(b"," * 3_000_000)
    with pytest.raises(InputError, match="3,000,000 columns"):
        read_points(str(tmp_path / "x.csv"), ["a"])


def test_a_row_of_more_images_than_bits_is_refused() -> None:
    said = told("scaling.store.store", "unpack_correct", "unpack_correct(b'x', 20_000_000_000)")
    assert said.startswith("ValueError 20,000,000,000 test images in 8 bits")
    for n_test in (9, -1):
        with pytest.raises(ValueError, match=r"test images in 8 bits"):
            unpack_correct(b"\xff", n_test)


def written(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())


def test_a_footer_that_promises_much_is_refused(tmp_path: Path) -> None:
    """A million equal rows take a few bytes, as do zeros."""
    rows = pa.table({"run_id": pa.array(["x"]).take(pa.array(np.zeros(1_000_000, int)))})
    blob = pa.array([bytes(2**20)] * 100, pa.binary())
    columns = {field.name: pa.nulls(100, field.type) for field in PREDICTIONS}
    big = pa.table({**columns, "correct": blob})
    for table, options, expected in (
        (rows, {"compression": "zstd"}, "1,000,000 rows or values in"),
        (big, {"compression": "zstd", "use_dictionary": False}, "bytes once unpacked"),
        (rows.slice(0, 9), {"compression": "brotli"}, "compressed by BROTLI"),
        (pa.table({str(i): [1] for i in range(10_001)}), {}, "10,001 columns"),
    ):
        body = written(table, **options)
        with pytest.raises(pa.ArrowInvalid, match=expected):
            check_bounds(pq.ParquetFile(pa.BufferReader(body)).metadata, len(body))
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "x.parquet").write_bytes(
        written(big, compression="zstd", use_dictionary=False)
    )
    (corrupt,) = Store(tmp_path).read("predictions").corrupt
    assert "bytes once unpacked" in corrupt.error


def repeated(kind: pa.DataType) -> pa.Array:
    """Return 10,000 equal values of a million bytes, in the memory of one."""
    (column,) = pa.table({"x": pa.array([b"a" * 1_000_000]).cast(kind)}).columns
    indices = pa.array(np.zeros(10_000, np.int32))
    return pa.DictionaryArray.from_arrays(indices, column.combine_chunks())


@pytest.mark.parametrize("column", ["text", "bytes", "list", "map"])
def test_a_text_that_many_rows_repeat_is_refused(column: str, tmp_path: Path) -> None:
    """Such a file has a few hundred bytes, and its footer does not tell."""
    ends = pa.array(np.arange(10_001, dtype=np.int32))
    text = repeated(pa.string())
    kind, name, rows = {
        "text": ("metrics", "run_id", text),
        "bytes": ("predictions", "correct", repeated(pa.binary())),
        "list": ("metrics", "tricks", pa.ListArray.from_arrays(ends, text)),
        "map": ("metrics", "versions", pa.MapArray.from_arrays(ends, text, text)),
    }[column]
    names = SCHEMAS[kind].names
    table = pa.table([rows if each == name else pa.nulls(10_000) for each in names], names)
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "x.parquet").write_bytes(
        written(table, compression="zstd", dictionary_pagesize_limit=2**30)
    )
    said = told("scaling.store.store", "Store", f"Store({str(tmp_path)!r}).read({kind!r}).corrupt")
    assert "0,000,000,000 bytes of text, expected at most" in said


def understated(table: pa.Table, **options: object) -> bytes:
    """Return a file whose footer says a thousand where a column has millions of bytes or values."""
    body = written(table, compression="zstd", write_statistics=False, **options)
    metadata = pq.read_metadata(pa.BufferReader(body))
    cut = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    footer, group = body[cut:], metadata.row_group(0)
    chunks = [group.column(i) for i in range(group.num_columns)]
    sizes = {n for chunk in chunks for n in (chunk.total_uncompressed_size, chunk.num_values)}
    for size in {group.total_byte_size, *sizes}:
        if size > 1_000_000:
            true = zigzag(size)
            footer = footer.replace(true, zigzag(1000, len(true)))
    return body[:cut] + footer


def zigzag(number: int, length: int = 0) -> bytes:
    """Return an integer as Thrift's compact protocol has it, in at least so many bytes."""
    found, left = [], 2 * number
    while left or len(found) < length:
        found.append(left & 127 | 128)
        left >>= 7
    return bytes([*found[:-1], found[-1] & 127])


@pytest.mark.parametrize("use_dictionary", [False, True])
def test_a_page_that_is_larger_than_its_footer_says_is_refused(
    use_dictionary: bool, tmp_path: Path
) -> None:
    columns = {name: pa.nulls(1) for name in PREDICTIONS.names}
    table = pa.table({**columns, "run_id": ["\0" * 600_000_000]})
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "x.parquet").write_bytes(
        understated(table, use_dictionary=use_dictionary)
    )
    said = told("scaling.store.store", "Store", f"Store({str(tmp_path)!r}).read('predictions')")
    assert "pages of 600,000,0" in said


def test_a_row_with_more_entries_than_its_file_has_bytes_is_refused(tmp_path: Path) -> None:
    n = 20_000_000
    entries = pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), pa.nulls(n, pa.string()))
    columns = {name: pa.nulls(1) for name in METRICS.names}
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "x.parquet").write_bytes(
        understated(pa.table({**columns, "tricks": entries}))
    )
    (corrupt,) = Store(tmp_path).read("metrics").corrupt
    assert "20,000,000 values in a column of" in corrupt.error


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", *(codec.lower() for codec in CODECS[1:])])
@pytest.mark.parametrize("use_dictionary", [False, True])
def test_the_sizes_of_pages_are_those_of_an_honest_footer(
    version: str, codec: str, use_dictionary: bool
) -> None:
    words = [f"word {i % 997}" for i in range(20_000)]
    table = pa.table(
        {
            "number": pa.array(range(20_000), pa.int64()),
            "text": words,
            "list": [[word] * (i % 3) if i % 5 else None for i, word in enumerate(words)],
        }
    )
    body = written(
        table,
        compression=codec,
        data_page_version=version,
        use_dictionary=use_dictionary,
        data_page_size=4096,
        write_page_checksum=True,
        row_group_size=7_000,
    )
    metadata = pq.read_metadata(pa.BufferReader(body))
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            pages = list(page_sizes(body, *chunk_range(chunk)))
            assert len(pages) > 1
            headers = chunk.total_uncompressed_size - sum(size for size, _ in pages)
            assert 10 * len(pages) < headers < 100 * len(pages)
            in_dictionary = pages[0][1] if chunk.has_dictionary_page else 0
            assert sum(n for _, n in pages) == chunk.num_values + in_dictionary


@pytest.mark.parametrize("use_dictionary", [False, True])
def test_a_file_without_rows_is_read(use_dictionary: bool) -> None:
    body = written(METRICS.empty_table(), use_dictionary=use_dictionary)
    assert [len(group) for group in read_groups(body)] == [0]


@settings(max_examples=300)
@given(st.binary(max_size=60), st.integers(-5, 70))
def test_bytes_that_are_no_pages_are_said_to_be_none(body: bytes, end: int) -> None:
    with suppress(ValueError):
        assert all(unpacked >= 0 and n >= 0 for unpacked, n in page_sizes(body, 0, end))


def test_a_gzip_file_within_its_bounds_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"abc"))
    with pytest.raises(InputError, match="sha256"):
        published.checked(tmp_path / "x.gz", "a")
    os.mkfifo(tmp_path / "y.gz")
    with pytest.raises(InputError, match="no regular file"):
        published.checked(tmp_path / "y.gz", "a")
