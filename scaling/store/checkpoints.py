"""Checkpoints of long trainings, in OUT/checkpoints: a preempted worker loses a minute of work.

They are not results. One that is torn, of other models or of other code is said and not used; once
its models are stored it is removed.
"""

import hashlib
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scaling.engines.saved import Saved, from_bytes, to_bytes
from scaling.store.store import Store, Unwritable
from scaling.study import Cell, Member

FOLDER, SUFFIX = "checkpoints", ".npz"
EVERY_S = 60.0  # assumed: of work between two; SCALING_CHECKPOINT_S overrides it


class Checkpoints:
    """Those of a results folder; which there are is looked up once."""

    def __init__(self, store: Store, say: Callable[[str], None]) -> None:
        self._store, self._say = store, say
        self.names = set(store.file_names(FOLDER, SUFFIX))

    def of(self, cell: Cell, members: Sequence[Member], engine: str, device: str) -> "Checkpoint":
        """That of members which are trained together, in this order."""
        runs = [cell.run_id(member) for member in members]
        return Checkpoint(self, {"runs": runs, "engine": engine, "device": device, **_code()})

    def read(self, name: str) -> bytes | None:
        return self._store.read_file(name) if name in self.names else None

    def write(self, name: str, body: bytes) -> None:
        """A checkpoint that cannot be written costs time only if it is needed."""
        try:
            self._store.write_file(name, body)
        except Unwritable as error:
            self._say(f"no checkpoint: {error}")
            return
        self.names.add(name)

    def remove(self, name: str) -> None:
        if name in self.names:
            self._store.delete_file(name)
            self.names.remove(name)

    def say(self, line: str) -> None:
        self._say(line)


class Checkpoint:
    """One of them: what engines take as a `Keeper`."""

    def __init__(self, among: Checkpoints, stamp: dict[str, Any]) -> None:
        self._among, self._stamp = among, stamp
        self.name = f"{FOLDER}/{_name(stamp['runs'])}{SUFFIX}"
        self._last = time.monotonic()

    def load(self) -> Saved | None:
        """The state that was kept, if it is whole and of these models by this code."""
        body = self._among.read(self.name)
        if body is None:
            return None
        try:
            saved, stamp = from_bytes(body)
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            self._ignore(f"it cannot be read ({' '.join(str(error).split())[:200]})")
            return None
        other = [name for name, value in self._stamp.items() if stamp.get(name) != value]
        if other:
            self._ignore(f"it is of other {' and '.join(other)}")
            return None
        return saved

    def save_if_due(self, saved: Callable[[], Saved]) -> None:
        """Keep this state after so many seconds of work."""
        if time.monotonic() - self._last >= float(os.environ.get("SCALING_CHECKPOINT_S", EVERY_S)):
            self._among.write(self.name, to_bytes(saved(), self._stamp))
            self._last = time.monotonic()

    def remove(self) -> None:
        self._among.remove(self.name)

    def _ignore(self, why: str) -> None:
        self._among.say(f"{self.name} is not used, {why}: training begins anew")


def _name(runs: Sequence[str]) -> str:
    """The model's own, or one that no other models have, nor these in another order."""
    if len(runs) == 1:
        return runs[0]
    return f"{len(runs)}-models-{hashlib.sha256(' '.join(runs).encode()).hexdigest()[:12]}"


@cache
def _code() -> dict[str, str]:
    """What trains: this package, file by file, and the libraries that compute for it."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    libraries = " ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "numba"))
    return {"code": digest.hexdigest(), "libraries": libraries}
