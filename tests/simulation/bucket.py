"""A bucket: objects appear whole; its lists may be those of some seconds ago."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scaling.store.places import Body, Bucket, Found

from .requests import File, Requests

T = TypeVar("T")

STALE_S = 5.0  # how old a list may be; assumed


@dataclass
class Objects:
    """The objects of a bucket by path, and when each name came and went."""

    files: dict[str, File] = field(default_factory=dict)
    history: list[tuple[float, str, File | None]] = field(default_factory=list)

    def put(self, now: float, path: str, file: File | None) -> None:
        if file is None:
            self.files.pop(path, None)
        else:
            self.files[path] = file
        self.history.append((now, path, file))

    def at(self, time: float) -> dict[str, File]:
        """Return the objects that were there at a time."""
        found: dict[str, File] = {}
        for when, path, file in self.history:
            if when > time:
                break
            if file is None:
                found.pop(path, None)
            else:
                found[path] = file
        return found


class SimulatedBucket(Requests, Bucket):
    """The requests to a bucket on the objects of a world, as pyarrow makes them."""

    def __init__(self, world: Any, objects: Objects, root: str) -> None:
        self.world, self.objects, self.root = world, objects, root

    @property
    def there(self) -> Mapping[str, File]:
        return self.objects.files

    def is_folder(self, path: str) -> bool:
        return any(name.startswith(f"{path}/") for name in self.objects.files)

    def make_folder(self, path: str) -> None:
        """Do nothing: a folder is the beginning of names."""

    def put(self, path: str, body: Body) -> None:
        def change() -> None:
            self.objects.put(self.world.now, path, File(bytes(body), self.world.now, synced=True))

        if self.world.weather.lasts("full", self.world.now):
            self.world.step(f"put {self._short(path)}")
            self.world.note("  fails: the quota is used up")
            raise OSError("simulated: QuotaExceeded")
        self._ask("put", path, change)

    def delete(self, path: str) -> None:
        def change() -> None:
            self._find(path)  # pyarrow asks for it first
            self.objects.put(self.world.now, path, None)

        self._ask("delete", path, change)

    def move(self, path: str, target: str) -> None:
        """Copy and delete, as there is no other way; a process may die in between."""

        def copy() -> File:
            file = self._find(path)
            self.world.checker.put_aside(path, target, file.harmed, self.objects.files.items())
            copied = File(
                file.body, self.world.now, synced=True, harmed=file.harmed, written=file.written
            )
            self.objects.put(self.world.now, target, copied)
            return file

        self._ask(f"copy {self._short(path)} to", target, copy)
        self.delete(path)

    def files(self, folder: str) -> list[Found]:
        now, weather = self.world.now, self.world.weather
        stale = STALE_S * self.world.draw.random() if weather.strikes("stale") else 0.0

        def listed() -> list[Found]:
            there = self.objects.at(now - stale) if stale else self.objects.files
            return [
                Found(path.rpartition("/")[2], len(file.body), int(file.mtime * 1e9))
                for path, file in there.items()
                if path.rpartition("/")[0] == folder
            ]

        text = f"list as of {stale:.1f} s ago" if stale else "list"
        found: list[Found] = self._ask(text, folder, listed)
        return found

    def each(self, names: Sequence[str], action: Callable[[str], T]) -> Iterator[T]:
        """Make the requests in an order that is drawn, as they would end in any."""
        order = list(range(len(names)))
        if not self.world.looking:
            self.world.draw.shuffle(order)
        found = {i: action(names[i]) for i in order}
        yield from (found[i] for i in range(len(names)))
