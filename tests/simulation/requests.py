"""What a simulated disk and a simulated bucket do alike."""

import errno
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.untrusted import Refused

from .weather import flipped, request


@dataclass(eq=False)
class File:
    """The bytes of a file. `harmed`: they are not those that were `written`."""

    body: bytes
    mtime: float
    synced: bool = False
    harmed: bool = False
    written: bytes = b""

    def __post_init__(self) -> None:
        self.written = self.written or self.body


class Requests:
    """Requests of a world to files by their paths; each may fail, or read a flipped bit."""

    world: Any
    root: str

    @property
    @abstractmethod
    def there(self) -> Mapping[str, File]:
        """Return the files by path."""

    def get(self, path: str, most: int) -> bytes:
        body: bytes = self._ask("read", path, lambda: self._find(path).body)
        if len(body) > most:
            raise Refused("too large")
        if self.world.weather.strikes("flips"):
            self.world.note("  with a flipped bit")
            return flipped(self.world.draw, body)
        return bytes(body)

    def are_files(self, paths: Sequence[str]) -> list[bool]:
        files = self.there
        found: list[bool] = self._ask("look for", paths[0], lambda: [p in files for p in paths])
        return found

    def _ask(self, what: str, path: str, change: Callable[[], Any]) -> Any:
        return request(self.world, f"{what} {self._short(path)}", change)

    def _find(self, path: str) -> File:
        if path not in self.there:
            raise FileNotFoundError(errno.ENOENT, "simulated: no such file", path)
        return self.there[path]

    def _short(self, path: str) -> str:
        return path.removeprefix(f"{self.root}/")
