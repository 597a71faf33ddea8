"""A results folder as files: whether it can be used, and reading and writing without a schema."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from scaling.errors import InputError
from scaling.store.files import Files, Stamp
from scaling.store.retries import one_line, retry_io
from scaling.store.state import CorruptFile
from scaling.untrusted import Refused, path_inside

T = TypeVar("T")


class Folder:
    """A folder or a URI, and what may be done with any of its files."""

    def __init__(self, out: str | Path) -> None:
        """Raise InputError unless `out` is a folder or a URI that pyarrow knows."""
        self._files = Files(out)
        self.out, self.is_local = self._files.out, self._files.is_local

    @property
    def root(self) -> Path:
        """Return the folder, where it is one on this machine."""
        return self._files.root

    def unwritable_reason(self, *folders: str) -> str | None:
        """Return why files cannot be written to these folders; None if they can.

        A bucket is tried again, as any request of a busy one may fail; a disk answers at once.
        """
        probe = f"{folders[0]}/.probe-{uuid.uuid4().hex[:8]}"  # other processes probe, too

        def write() -> None:
            for folder in folders:
                self._files.make_folder(folder)
            self._files.write_once(probe, b"ok")

        try:
            write() if self.is_local else retry_io(write)
            self._files.delete(probe)
        except (OSError, pa.ArrowException) as error:
            return one_line(error)
        return None

    def exists(self) -> bool:
        """Return whether the folder exists. Raises InputError where that cannot be found out."""
        try:
            return self._files.exists()
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{self.out} cannot be looked at ({one_line(error)}): expected a folder, or a URI"
                " whose server answers and lets us in (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL)"
            ) from error

    def address(self, name: str) -> str:
        """Return the path or URI of a file as a user would write it."""
        return self._files.address(name)

    def check_inside(self, *names: str) -> None:
        """Raise InputError where a link leads out of the folder from one of these files."""
        try:
            for name in names if self.is_local else ():
                path_inside(str(self.root), name)
        except OSError as error:
            raise InputError(f"{error}: nothing is written there; remove the link") from error

    def write_file(self, name: str, body: bytes) -> None:
        """Write another file of the results, atomically."""
        self._files.write(name, body)

    def file_stamps(self, folder: str, suffix: str) -> dict[str, Stamp]:
        """Return the stamps of a folder's files by name: size, and time in nanoseconds."""
        return self._files.stamps(folder, suffix)

    def read_sound(self, name: str, parse: Callable[[bytes], T]) -> T | None:
        """Return what `parse` returns for the content of a file; None if it is missing.

        The file is read again where `parse` fails. Raises what it raises then.
        """
        return self._files.read_sound(name, parse)

    def read_file(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        return self._files.read(name)

    def delete_file(self, name: str) -> None:
        """Delete a file if it exists."""
        self._files.delete(name)

    def file_names(self, folder: str, suffix: str) -> list[str]:
        """Return the names of a folder's files, as `read_file` takes them."""
        return list(self._files.names(folder, suffix))

    def sync(self, *folders: str) -> None:
        """Make sure that the files seen in these folders stay after a loss of power."""
        for folder in folders:
            self._files.sync(folder)

    def set_aside(self, name: str) -> str:
        """Move a file into damaged/ and return its path there; no file there is replaced."""
        number, (stem, dot, suffix) = 1, name.rpartition(".")
        target = f"damaged/{name}"
        while self._files.existing([target]):
            number += 1
            target = f"damaged/{stem}-{number}{dot}{suffix}"
        self._files.move(name, target)
        return self._files.path(target)

    def _corrupt(self, name: str, error: BaseException) -> CorruptFile:
        """Return a file that cannot be read or believed, for this reason."""
        kind, _, file = name.rpartition("/")
        unread = isinstance(error, OSError) and not isinstance(error, Refused)
        path, stem = self._files.path(name), file.rpartition(".")[0]
        return CorruptFile(path, one_line(error), kind=kind, name=stem, unread=unread)
