"""A local disk that loses what was not synced when the power fails.

A folder's names and a file's bytes survive by themselves: of changes that were not synced any may
be lost, whatever came before or after them.
"""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from scaling.store.places import Body, Disk, Found

from .requests import File, Requests

T = TypeVar("T")


@dataclass
class Change:
    """A change of names that was not synced: files by path, None for none; folders made."""

    files: dict[str, File | None] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    inside: set[str] = field(init=False)  # folders whose names change

    def __post_init__(self) -> None:
        self.inside = {path.rpartition("/")[0] for path in (*self.files, *self.folders)}


class Platter:
    """What is on the disk, as its machine sees it and as it would survive."""

    def __init__(self, root: str) -> None:
        around = root.rpartition("/")[0]
        self.files: dict[str, File] = {}
        self.folders = {around}
        self._kept_files: dict[str, File] = {}
        self._kept_folders = {around}
        self._pending: list[Change] = []

    def change(self, change: Change) -> None:
        _apply(change, self.files, self.folders)
        self._pending.append(change)

    def sync(self, folder: str) -> None:
        """Keep all changes of names in this folder."""
        for change in [each for each in self._pending if folder in each.inside]:
            _apply(change, self._kept_files, self._kept_folders)
            self._pending.remove(change)

    def fail(self, draw: Random) -> None:
        """Lose the power: of what was not synced some is kept, some torn, some lost."""
        share = draw.choice((0.0, 0.5, 1.0))
        for change in self._pending:
            if draw.random() < share:
                _apply(change, self._kept_files, self._kept_folders)
        self._pending.clear()
        self.folders = {f for f in self._kept_folders if self._reached(f)}
        kept = {p: f for p, f in self._kept_files.items() if p.rpartition("/")[0] in self.folders}
        self.files = kept
        for file in kept.values():
            if not file.synced:
                whole, file.synced = file.body, True
                length = draw.randrange(len(whole) + 1)
                zeros = bytes(draw.choice((0, len(whole) - length)))
                file.body = draw.choice((whole, whole[:length] + zeros, b""))
                file.harmed = file.harmed or file.body != whole
        self._kept_files, self._kept_folders = dict(self.files), set(self.folders)

    def _reached(self, folder: str) -> bool:
        around = folder.rpartition("/")[0]
        return around == "" or (around in self._kept_folders and self._reached(around))


def _apply(change: Change, files: dict[str, File], folders: set[str]) -> None:
    folders.update(change.folders)
    for path, file in change.files.items():
        if file is None:
            files.pop(path, None)
        else:
            files[path] = file


class SimulatedDisk(Requests, Disk):
    """The operations of a disk on the platter of a world."""

    def __init__(self, world: Any, platter: Platter, root: str) -> None:
        self.world, self.platter, self.root = world, platter, root

    @property
    def there(self) -> Mapping[str, File]:
        return self.platter.files

    def is_folder(self, path: str) -> bool:
        """Tell whether this is a folder; no step, as nothing depends on when."""
        return path in self.platter.folders

    def make_one(self, path: str) -> None:
        def change() -> None:
            if path not in self.platter.folders:
                self.platter.change(Change(folders=(path,)))

        self._ask("mkdir", path, change)

    def create(self, path: str, body: Body) -> None:
        whole = bytes(body)
        self._ask("write", path, lambda: None)
        self._find_folder(path)
        file = File(whole, self.world.now)
        if self.world.weather.lasts("full", self.world.now):
            file.body = whole[: self.world.draw.randrange(len(whole) + 1)]
            self.platter.change(Change({path: file}))
            self.world.note("  fails: no space left")
            raise OSError(errno.ENOSPC, "simulated: no space left on device")
        self.platter.change(Change({path: file}))
        self.world.step(f"fsync {self._short(path)}")
        self.sync(file)

    def sync(self, file: File) -> None:
        if self.world.weather.strikes("bad_sync"):  # and the next one would succeed for nothing
            self.world.note("  fails")
            raise OSError(errno.EIO, "simulated fsync that failed")
        file.synced = True

    def rename(self, path: str, target: str) -> None:
        def change() -> None:
            self._find_folder(target)
            file = self._find(path)
            self.platter.change(Change({path: None, target: file}))

        self._ask("rename to", target, change)

    def sync_folder(self, path: str) -> None:
        self.world.step(f"fsync folder {self._short(path)}")
        if self.world.weather.strikes("bad_sync"):
            self.world.note("  fails")
            raise OSError(errno.EIO, "simulated fsync that failed")
        self.platter.sync(path)

    def delete(self, path: str) -> None:
        def change() -> None:
            self._find(path)
            self.platter.change(Change({path: None}))

        self._ask("delete", path, change)

    def move(self, path: str, target: str) -> None:
        def change() -> None:
            self._find_folder(target)
            file = self._find(path)
            self.world.checker.put_aside(path, target, file.harmed, self.platter.files.items())
            self.platter.change(Change({path: None, target: file}))

        self._ask(f"move {self._short(path)} to", target, change)

    def files(self, folder: str) -> list[Found]:
        def listed() -> list[Found]:
            return [
                Found(path.rpartition("/")[2], len(file.body), int(file.mtime * 1e9))
                for path, file in self.platter.files.items()
                if path.rpartition("/")[0] == folder
            ]

        found: list[Found] = self._ask("list", folder, listed)
        return found

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        yield from map(action, names)

    def _find_folder(self, path: str) -> None:
        if path.rpartition("/")[0] not in self.platter.folders:
            raise FileNotFoundError(errno.ENOENT, "simulated: no such folder", path)
