"""Files of a results folder or of any URI that pyarrow knows: atomic writes and retries."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from scaling.errors import InputError
from scaling.store import places
from scaling.store.places import Body, Disk
from scaling.store.retries import one_line, retry_io
from scaling.store.uris import check_uri
from scaling.untrusted import path_inside

T = TypeVar("T")
Stamp = tuple[int, int]

READINGS = 5  # of a file that seems damaged, until two agree; assumed
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
            self._place, self._root = places.open_place(self.out)
            self._root.encode()  # pyarrow's names are UTF-8, whatever the locale
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"--out {self.out}: {one_line(error)}; expected a folder or a URI"
            ) from error
        self.is_local = isinstance(self._place, Disk)

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
        return self._place.is_folder(self._root)

    def make_folder(self, name: str) -> None:
        """Make a folder and those around it; a bucket's stay, which saves a request."""
        path = self.path(name)
        if name not in self._made or (self.is_local and not self._place.is_folder(path)):
            self._place.make_folder(path)
            self._made.add(name)

    def write(self, name: str, body: Body) -> None:
        """Write or replace a file; make its folder if needed. Raises WriteError after retries."""
        self._change(
            lambda: self.write_once(name, body), f"{self.path(name)} cannot be written", gone=False
        )

    def write_once(self, name: str, body: Body) -> None:
        """Write a file whole or not at all; it is on the disk, or in the bucket, afterwards.

        A new file is moved into place. Its bytes and its name are synced, as a model counts as
        stored from then on, also after a loss of power.
        """
        folder, place = name.rpartition("/")[0], self._place
        if not isinstance(place, Disk):
            self.make_folder(folder)
            place.put(self.path(name), body)
            return
        path_inside(self._root, name, follow=False)
        self.make_folder(folder)
        part = path_inside(self._root, f".part/{uuid.uuid4().hex}")  # where no reader looks
        self.make_folder(".part")
        try:
            place.create(part, body)
            place.rename(part, self.path(name))
        except BaseException:
            with suppress(OSError):
                place.delete(part)
            raise
        place.sync_folder(self.path(folder))

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        try:
            return retry_io(lambda: self._read(name))
        except FileNotFoundError:
            return None

    def read_sound(
        self,
        name: str,
        parse: Callable[[bytes], T],
        is_whole: Callable[[T], bool] = lambda _: True,
    ) -> T | None:
        """Return what `parse` returns for the content of a file; None if it is missing.

        Where that fails or is not whole, the file is read again until two readings agree: a bit may
        have flipped on its way, and a sound file must not be taken for a damaged one. Raises what
        `parse` raises for the bytes that stay.
        """
        last: bytes | None = None
        for _ in range(READINGS):
            if (body := self.read(name)) is None:
                return None
            if body == last:
                break
            last = body
            with suppress(ValueError, KeyError, OSError, pa.ArrowException):
                if is_whole(found := parse(body)):
                    return found
        assert last is not None
        return parse(last)

    def delete(self, name: str) -> None:
        """Delete a file if it exists. Raises WriteError after retries."""
        if self.is_local:
            path_inside(self._root, name, follow=False)
        if self.existing([name]):
            self._change(
                lambda: self._place.delete(self.path(name)), f"{self.path(name)} cannot be deleted"
            )

    def move(self, name: str, target: str) -> None:
        """Move a file, if it is still there, to a name that no file has.

        Raises WriteError after retries.
        """

        def move() -> None:
            self.make_folder(target.rpartition("/")[0])
            self._place.move(self.path(name), self.path(target))

        self._change(move, f"{self.path(name)} cannot be moved to {target}")

    def sync(self, folder: str) -> None:
        """Make sure that the files seen in a folder stay there after a loss of power.

        Another process may have moved one into place, and been killed before it synced that.
        """
        place, path = self._place, self.path(folder)
        if isinstance(place, Disk) and place.is_folder(path):
            self._change(lambda: place.sync_folder(path), f"{path} cannot be synced")

    def names(self, folder: str, suffix: str) -> Iterator[str]:
        """Return the files of a folder in the order of their names, without hidden ones."""
        return iter(self.stamps(folder, suffix))

    def stamps(self, folder: str, suffix: str) -> dict[str, Stamp]:
        """Return the files of a folder with their stamps: size and modification time."""
        found: dict[str, Stamp] = {}
        if self.is_local:
            self._query(lambda: path_inside(self._root, folder))
        files = self._query(lambda: self._place.files(self.path(folder)))
        for file in sorted(files, key=lambda file: file.name):
            if file.name.endswith(suffix) and not file.name.startswith("."):
                found[f"{folder}/{file.name}"] = (file.size, file.mtime_ns)
        return found

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        """Yield the action's result for each file in order; a bucket's files run in parallel."""
        yield from self._place.each(names, action)

    def existing(self, names: Sequence[str]) -> list[str]:
        """Return those of these files that exist."""
        paths = [self.path(name) for name in names]
        there = self._query(lambda: self._place.are_files(paths))
        return [name for name, is_file in zip(names, there, strict=True) if is_file]

    def _change(self, change: Callable[[], None], failed: str, gone: bool = True) -> None:
        """Make a change. Raises WriteError; a file that is gone already is no error if `gone`."""
        try:
            retry_io(change)
        except (OSError, pa.ArrowException) as error:
            if gone and isinstance(error, FileNotFoundError):
                return
            raise WriteError(
                f"{failed} ({one_line(error)}): see to the disk or the connection and run the same"
                " command again; stored results stay"
            ) from error

    def _query(self, question: Callable[[], T]) -> T:
        """Return an answer of the file system. Raises InputError if it fails after retries."""
        try:
            return retry_io(question)
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be read ({one_line(error)}): see to the disk or the connection"
                " and run the same command again"
            ) from error

    def _read(self, name: str) -> bytes:
        path = path_inside(self._root, name) if self.is_local else self.path(name)
        return self._place.get(path, MOST_FILE)
