"""Files of a results folder or of any URI that pyarrow knows: atomic writes and retries."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from scaling.errors import InputError
from scaling.store.retries import one_line, retry_io
from scaling.store.uris import check_uri
from scaling.untrusted import Refused, path_inside, read_regular

T = TypeVar("T")
Stamp = tuple[int, int]

MAX_REQUESTS = 32  # assumed: parallel requests that a bucket accepts from one reader
# Assumed: an S3 server that is silent for 10 s is down. A small file is one request.
S3 = {
    "connect_timeout": 5.0,
    "request_timeout": 10.0,
    "retry_strategy": pafs.AwsStandardS3RetryStrategy(max_attempts=3),
    "allow_delayed_open": True,
}
MOST_FILE = 2**28  # bytes of a file, which is read as a whole; assumed


class WriteError(InputError):
    """A file that could not be written, even after retries."""


class Files:
    """The files of a folder or URI; names are relative to it, with / between their parts."""

    def __init__(self, out: str | Path) -> None:
        """Raise InputError unless `out` is a folder or a URI that pyarrow knows."""
        self.out, self._made = str(out), set[str]()
        check_uri(self.out)
        try:
            if "://" in self.out:
                self._fs, self._root = _limit_waiting(*pafs.FileSystem.from_uri(self.out))
                self.is_local = isinstance(self._fs, pafs.LocalFileSystem)
            else:
                self._fs, self._root = pafs.LocalFileSystem(), str(Path(self.out).absolute())
                self.is_local = True
            self._root.encode()  # pyarrow's names are UTF-8, whatever the locale
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"--out {self.out}: {one_line(error)}; expected a folder or a URI"
            ) from error

    @property
    def root(self) -> Path:
        """Return the folder, where it is one on this machine."""
        return Path(self._root)

    def path(self, name: str) -> str:
        """Return the path of a file for the file system and for messages."""
        return f"{self._root}/{name}"

    def address(self, name: str) -> str:
        """Return the path or URI of a file as a user would write it."""
        if "://" not in self.out:
            return f"{self.out.rstrip('/')}/{name}"
        return f"{self.out.partition('://')[0]}://{self._root.rstrip('/')}/{name}"

    def exists(self) -> bool:
        """Return whether the folder exists. Raises OSError without retries, as a user waits."""
        return bool(self._fs.get_file_info(self._root).type == pafs.FileType.Directory)

    def make_folder(self, name: str) -> None:
        self._fs.create_dir(self.path(name), recursive=True)
        self._made.add(name)

    def write(self, name: str, body: bytes | pa.Buffer) -> None:
        """Write or replace a file; make its folder if needed. Raises WriteError after retries."""
        try:
            retry_io(lambda: self.write_once(name, body))
        except (OSError, pa.ArrowException) as error:
            raise WriteError(
                f"{self.path(name)} cannot be written ({one_line(error)}): see to the disk or the"
                " connection and run the same command again; stored results stay"
            ) from error

    def write_once(self, name: str, body: bytes | pa.Buffer) -> None:
        """Write a file atomically: it is moved into place; an object appears when it is closed."""
        folder = name.rpartition("/")[0]
        if self.is_local:
            path_inside(self._root, name, follow=False)
        if self.is_local or folder not in self._made:  # a bucket's folders stay; a request saved
            self.make_folder(folder)
        if not self.is_local:
            _run_uninterrupted(lambda: self._upload(name, body))
            return
        part = Path(path_inside(self._root, f".part/{uuid.uuid4().hex}"))  # where no reader looks
        part.parent.mkdir(exist_ok=True)
        try:
            part.write_bytes(body)
            part.replace(self.path(name))
        finally:
            part.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        try:
            return retry_io(lambda: self._read(name))
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""
        if self.is_local:
            path_inside(self._root, name, follow=False)
        if self.existing([name]):
            retry_io(lambda: self._fs.delete_file(self.path(name)))

    def move(self, name: str, target: str) -> None:
        """Move a file to a name that no file has."""
        self.make_folder(target.rpartition("/")[0])
        retry_io(lambda: self._fs.move(self.path(name), self.path(target)))

    def names(self, folder: str, suffix: str) -> Iterator[str]:
        """Return the files of a folder in the order of their names, without hidden ones."""
        return iter(self.stamps(folder, suffix))

    def stamps(self, folder: str, suffix: str) -> dict[str, Stamp]:
        """Return the files of a folder with their stamps: size and modification time."""
        found: dict[str, Stamp] = {}
        if self.is_local:
            self._query(lambda: path_inside(self._root, folder))
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        infos = self._query(lambda: self._fs.get_file_info(selector))
        for info in sorted(infos, key=lambda info: info.path):
            hidden = info.base_name.startswith(".")
            if info.type == pafs.FileType.File and info.base_name.endswith(suffix) and not hidden:
                found[f"{folder}/{info.base_name}"] = (info.size, info.mtime_ns)
        return found

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        """Yield the action's result for each file in order; a bucket's files run in parallel."""
        if self.is_local:
            yield from map(action, names)
            return
        with ThreadPoolExecutor(MAX_REQUESTS) as pool:
            yield from pool.map(action, names)

    def existing(self, names: Sequence[str]) -> list[str]:
        """Return those of these files that exist."""
        paths = [self.path(name) for name in names]
        infos = self._query(lambda: self._fs.get_file_info(paths))
        return [n for n, i in zip(names, infos, strict=True) if i.type == pafs.FileType.File]

    def _query(self, question: Callable[[], T]) -> T:
        """Return an answer of the file system. Raises InputError if it fails after retries."""
        try:
            return retry_io(question)
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be read ({one_line(error)}): see to the disk or the connection"
                " and run the same command again"
            ) from error

    def _upload(self, name: str, body: bytes | pa.Buffer) -> None:
        with self._fs.open_output_stream(self.path(name)) as stream:
            stream.write(body)

    def _read(self, name: str) -> bytes:
        if self.is_local:
            return read_regular(path_inside(self._root, name), MOST_FILE)
        with self._fs.open_input_file(self.path(name)) as source:
            if (size := source.size()) > MOST_FILE:
                raise Refused(f"it has {size:,} bytes, expected at most {MOST_FILE:,}")
            return bytes(source.read())


def _limit_waiting(fs: pafs.FileSystem, root: str) -> tuple[pafs.FileSystem, str]:
    """Return S3 with timeouts of half a minute in all; pyarrow's default takes minutes.

    The URI's own options are kept; pyarrow exposes them for pickling only.
    """
    if not isinstance(fs, pafs.S3FileSystem):
        return fs, root
    _, (options,) = fs.__reduce__()
    return pafs.S3FileSystem(**options | S3), root


def _run_uninterrupted(action: Callable[[], None]) -> None:
    """Run an action in a separate thread, which Ctrl-C does not interrupt.

    After an exception in Python pyarrow completes an upload with the bytes so far, even in the
    destructor, and half an object would be visible.
    """
    with ThreadPoolExecutor(1) as one:
        one.submit(action).result()
