"""Files of a results folder or of any URI that pyarrow knows: whole or not at all, and retry_io.

A disk that is full and a bucket that does not answer are often well again a moment later, so what
fails is tried again a few times before anybody hears of it.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from scaling.errors import InputError

T = TypeVar("T")
Stamp = tuple[int, int]

# Seconds before each further try, assumed: short against training again, long against a hiccup.
WAITS_S = (0.5, 2.0, 8.0)
AT_ONCE = 32  # assumed: requests that a bucket takes from one reader
# Of S3, assumed: a server that says nothing for 10 s is gone. A small file is one request.
S3 = {
    "connect_timeout": 5.0,
    "request_timeout": 10.0,
    "retry_strategy": pafs.AwsStandardS3RetryStrategy(max_attempts=3),
    "allow_delayed_open": True,
}
# What trying again does not mend: a path is what it is.
FINAL = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


class Unwritable(InputError):
    """A place for results that cannot be written to any more, though it was tried a few times."""


class Files:
    """Names are relative to the folder, with / between their parts."""

    def __init__(self, out: str | Path) -> None:
        """Raises InputError for what is neither a folder nor a URI that pyarrow knows."""
        self.out, self._made = str(out), set[str]()
        check_uri(self.out)
        try:
            if "://" in self.out:
                self._fs, self._root = _bounded(*pafs.FileSystem.from_uri(self.out))
                self.is_local = isinstance(self._fs, pafs.LocalFileSystem)
            else:
                self._fs, self._root = pafs.LocalFileSystem(), str(Path(self.out).absolute())
                self.is_local = True
            self._root.encode()  # pyarrow's names are UTF-8, whatever the locale
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"--out {self.out}: {line_of(error)}; expected a folder or a URI"
            ) from error

    @property
    def root(self) -> Path:
        """The folder itself, where it is one on this machine."""
        return Path(self._root)

    def path(self, name: str) -> str:
        """What to call a file when speaking of it."""
        return f"{self._root}/{name}"

    def address(self, name: str) -> str:
        """What somebody would type to get at a file."""
        if "://" not in self.out:
            return f"{self.out.rstrip('/')}/{name}"
        return f"{self.out.partition('://')[0]}://{self._root.rstrip('/')}/{name}"

    def exists(self) -> bool:
        """Raises OSError at once, as somebody waits who can mend it."""
        return bool(self._fs.get_file_info(self._root).type == pafs.FileType.Directory)

    def make_folder(self, name: str) -> None:
        self._fs.create_dir(self.path(name), recursive=True)
        self._made.add(name)

    def write(self, name: str, body: bytes | pa.Buffer) -> None:
        """Replace a file, in a folder that is made if need be. Raises Unwritable once in vain."""
        try:
            retry_io(lambda: self.write_once(name, body))
        except (OSError, pa.ArrowException) as error:
            raise Unwritable(
                f"{self.path(name)} cannot be written ({line_of(error)}): see to the disk or the"
                " connection and run the same command again; what is stored stays"
            ) from error

    def write_once(self, name: str, body: bytes | pa.Buffer) -> None:
        """Visible whole or not at all: files are moved into place, objects appear at close."""
        folder = name.rpartition("/")[0]
        if self.is_local or folder not in self._made:  # a bucket's folders stay; a request saved
            self.make_folder(folder)
        if not self.is_local:
            _undisturbed(lambda: self._upload(name, body))
            return
        parts = self.root / ".part"  # beside the tables, where no reader looks
        parts.mkdir(exist_ok=True)
        part = parts / uuid.uuid4().hex
        try:
            part.write_bytes(body)
            part.replace(self.path(name))
        finally:
            part.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """All of a file; None if there is no such file."""
        try:
            return retry_io(lambda: self._read(name))
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.existing([name]):
            retry_io(lambda: self._fs.delete_file(self.path(name)))

    def names(self, folder: str, suffix: str) -> Iterator[str]:
        """The files of a folder in the order of their names, but for hidden ones."""
        return iter(self.stamps(folder, suffix))

    def stamps(self, folder: str, suffix: str) -> dict[str, Stamp]:
        """The same with what changes when a file does: its size, and when it was written."""
        found: dict[str, Stamp] = {}
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        infos = self._asked(lambda: self._fs.get_file_info(selector))
        for info in sorted(infos, key=lambda info: info.path):
            hidden = info.base_name.startswith(".")
            if info.type == pafs.FileType.File and info.base_name.endswith(suffix) and not hidden:
                found[f"{folder}/{info.base_name}"] = (info.size, info.mtime_ns)
        return found

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        """What the action makes of each file, in their order; of a bucket, many at once."""
        if self.is_local:
            yield from map(action, names)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(action, names)

    def existing(self, names: Sequence[str]) -> list[str]:
        """Those of these files that are there."""
        paths = [self.path(name) for name in names]
        infos = self._asked(lambda: self._fs.get_file_info(paths))
        return [n for n, i in zip(names, infos, strict=True) if i.type == pafs.FileType.File]

    def _asked(self, what: Callable[[], T]) -> T:
        """What the file system says of itself. Raises InputError if it says nothing."""
        try:
            return retry_io(what)
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be read ({line_of(error)}): see to the disk or the connection"
                " and run the same command again"
            ) from error

    def _upload(self, name: str, body: bytes | pa.Buffer) -> None:
        with self._fs.open_output_stream(self.path(name)) as stream:
            stream.write(body)

    def _read(self, name: str) -> bytes:
        with self._fs.open_input_file(self.path(name)) as source:
            return bytes(source.read())


def check_uri(out: str) -> None:
    """Raises InputError for a URI with a password: it would stand in plans, logs and reports."""
    scheme, separator, rest = out.partition("://")
    if separator and ":" in rest.partition("/")[0].rpartition("@")[0]:
        raise InputError(
            f"--out {scheme}://... holds a key, which would be written into logs and reports: set"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its place"
        )


def _bounded(fs: pafs.FileSystem, root: str) -> tuple[pafs.FileSystem, str]:
    """S3 that gives up within half a minute, where pyarrow's default takes minutes.

    What the URI said of it is kept; pyarrow gives it out for pickling only.
    """
    if not isinstance(fs, pafs.S3FileSystem):
        return fs, root
    _, (options,) = fs.__reduce__()
    return pafs.S3FileSystem(**options | S3), root


def _undisturbed(action: Callable[[], None]) -> None:
    """Run in a thread of its own, where no Ctrl-C arrives.

    An upload that is left by an exception of Python's is completed with what there was of it,
    even by its destructor: half an object would be visible.
    """
    with ThreadPoolExecutor(1) as one:
        one.submit(action).result()


def retry_io(action: Callable[[], T]) -> T:
    """What the action gives, trying it again when the disk or the network fails.

    Raises OSError of the last try.
    """
    for wait in WAITS_S:
        try:
            return action()
        except FINAL:
            raise
        except OSError:
            time.sleep(wait)
    return action()


def line_of(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
