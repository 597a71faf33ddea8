"""Where the files of a results folder are: a local disk or a bucket, one method for each request.

Nothing here tries again or names files: `Files` does. The simulated disk and bucket of
tests/simulation have the same methods.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from scaling.untrusted import Refused, read_regular

T = TypeVar("T")
Body: TypeAlias = "bytes | pa.Buffer"

MAX_REQUESTS = 32  # assumed: parallel requests that a bucket accepts from one reader
FLAT = ("s3", "gcs")  # a folder there is the beginning of names: to make one costs two requests
# Assumed: an S3 server that is silent for 10 s is down. A small file is one request. The "standard"
# strategy may retry about 100 times in all and then gives up at once: of a busy server's files a
# quarter could not be read.
S3 = {
    "connect_timeout": 5.0,
    "request_timeout": 10.0,
    "retry_strategy": pafs.AwsDefaultS3RetryStrategy(max_attempts=3),
    "allow_delayed_open": True,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a folder; its time is that of the disk or of the server."""

    name: str
    size: int
    mtime_ns: int


class Bucket:
    """Any file system of pyarrow, whose files appear whole once their upload is complete."""

    def __init__(self, fs: pafs.FileSystem) -> None:
        self._fs = fs

    def is_folder(self, path: str) -> bool:
        return bool(self._fs.get_file_info(path).type == pafs.FileType.Directory)

    def make_folder(self, path: str) -> None:
        """Make a folder, where names are not all that there is of one."""
        if self._fs.type_name not in FLAT:
            self._fs.create_dir(path, recursive=True)

    def put(self, path: str, body: Body) -> None:
        _run_uninterrupted(lambda: self._upload(path, body))

    def get(self, path: str, most: int) -> bytes:
        """Return the bytes of a file. Raises FileNotFoundError, Refused for more than `most`."""
        with self._fs.open_input_file(path) as source:
            if (size := source.size()) > most:
                raise Refused(f"it has {size:,} bytes, expected at most {most:,}")
            return bytes(source.read())

    def delete(self, path: str) -> None:
        self._fs.delete_file(path)

    def move(self, path: str, target: str) -> None:
        self._fs.move(path, target)

    def files(self, folder: str) -> list[Found]:
        """Return the files of a folder in any order; of a missing folder none."""
        infos = self._fs.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
        return [
            Found(info.base_name, info.size, info.mtime_ns)
            for info in infos
            if info.type == pafs.FileType.File
        ]

    def are_files(self, paths: Sequence[str]) -> list[bool]:
        return [info.type == pafs.FileType.File for info in self._fs.get_file_info(list(paths))]

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        """Yield the action's result for each name in order; the requests are made in parallel."""
        with ThreadPoolExecutor(MAX_REQUESTS) as pool:
            yield from pool.map(action, names)

    def _upload(self, path: str, body: Body) -> None:
        with self._fs.open_output_stream(path) as stream:
            stream.write(body)


class Disk(Bucket):
    """A local disk, where a file is on the disk once it and its folder are synced."""

    def __init__(self) -> None:
        super().__init__(pafs.LocalFileSystem())

    def make_folder(self, path: str) -> None:
        """Make a folder and those around it, which would survive a loss of power.

        Each is synced before one is made inside it. The last that was there already is synced too:
        the process that made it may have been killed before it did that.
        """
        folders = [Path(path), *Path(path).parents]
        missing = list(takewhile(lambda folder: not self.is_folder(str(folder)), folders))
        last = folders[len(missing)] if len(missing) < len(folders) else folders[-1]
        self.sync_folder(str(last.parent))
        for folder in reversed(missing):
            self.make_one(str(folder))
            self.sync_folder(str(folder.parent))

    def make_one(self, path: str) -> None:
        """Make a folder, which others may make meanwhile."""
        Path(path).mkdir(exist_ok=True)

    def create(self, path: str, body: Body) -> None:
        """Write a new file. Returns once its bytes would survive a loss of power."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            left = memoryview(body)
            while left:
                left = left[os.write(file, left) :]
            _sync(file)
        finally:
            os.close(file)

    def rename(self, path: str, target: str) -> None:
        """Replace a file by another at once. `sync_folder` makes that survive a loss of power."""
        Path(path).replace(target)

    def sync_folder(self, path: str) -> None:
        """Wait until the names in a folder would survive a loss of power."""
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:  # one around the results, which others own
            return
        try:
            _sync(folder)
        finally:
            os.close(folder)

    def get(self, path: str, most: int) -> bytes:
        return read_regular(path, most)

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        yield from map(action, names)


def open_place(out: str) -> tuple[Bucket, str]:
    """Return the disk or bucket of a folder or a URI, and the path there.

    Raises ArrowException, OSError or ValueError for a URI that pyarrow does not know.
    """
    if "://" not in out:
        return Disk(), str(Path(out).absolute())
    fs, root = pafs.FileSystem.from_uri(out)
    if isinstance(fs, pafs.LocalFileSystem):
        return Disk(), root
    return Bucket(_limit_waiting(fs)), root


def _limit_waiting(fs: pafs.FileSystem) -> pafs.FileSystem:
    """Return S3 with timeouts of half a minute in all; pyarrow's default takes minutes.

    The URI's own options are kept; pyarrow exposes them for pickling only.
    """
    if not isinstance(fs, pafs.S3FileSystem):
        return fs
    _, (options,) = fs.__reduce__()
    return pafs.S3FileSystem(**options | S3)


def _run_uninterrupted(action: Callable[[], None]) -> None:
    """Run an action in a separate thread, which Ctrl-C does not interrupt.

    After an exception in Python pyarrow completes an upload with the bytes so far, even in the
    destructor, and half an object would be visible.
    """
    with ThreadPoolExecutor(1) as one:
        one.submit(action).result()


def _sync(file: int) -> None:
    """Flush a file or folder to the disk, where its file system can (some networks' cannot)."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
