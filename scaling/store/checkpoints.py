"""Checkpoints of long trainings, in OUT/checkpoints: a preempted worker loses a minute of work.

They are not results. A checkpoint that is damaged, of other models or of other code is reported and
ignored; it is removed once its models are stored.
"""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scaling.engines.saved import TrainingState, from_bytes, to_bytes
from scaling.store.store import Store, WriteError
from scaling.study import Cell, Member

FOLDER, SUFFIX = "checkpoints", ".npz"
INTERVAL_S = 60.0  # of work between two checkpoints; assumed; SCALING_CHECKPOINT_S overrides it


class Checkpoints:
    """The checkpoints of a results folder; their names are listed once."""

    def __init__(self, store: Store, report: Callable[[str], None]) -> None:
        self._store, self.report = store, report
        self.names = set(store.file_names(FOLDER, SUFFIX))

    def of(self, cell: Cell, members: Sequence[Member], engine: str, device: str) -> "Checkpoint":
        """Return the checkpoint of members that are trained together, in this order."""
        runs = [cell.run_id(member) for member in members]
        return Checkpoint(self, {"runs": runs, "engine": engine, "device": device, **_code()})

    def read(self, name: str) -> tuple[TrainingState, dict[str, Any]] | None:
        return self._store.read_sound(name, from_bytes) if name in self.names else None

    def write(self, name: str, body: bytes) -> None:
        """Write a checkpoint, or report why not: without it training may only take longer."""
        try:
            self._store.write_file(name, body)
        except WriteError as error:
            self.report(f"no checkpoint: {error}")
            return
        self.names.add(name)

    def remove(self, name: str) -> None:
        if name in self.names:
            self._store.delete_file(name)
            self.names.remove(name)


class Checkpoint:
    """The checkpoint of one training: a `Checkpointer` for engines."""

    def __init__(self, checkpoints: Checkpoints, stamp: dict[str, Any]) -> None:
        self._checkpoints, self._stamp = checkpoints, stamp
        self.name = f"{FOLDER}/{_name(stamp['runs'])}{SUFFIX}"
        self._last = time.monotonic()

    def load(self) -> TrainingState | None:
        """Return the saved state; None unless it is intact and of these models by this code."""
        try:
            found = self._checkpoints.read(self.name)
        except (ValueError, OSError) as error:
            self._ignore(f"it cannot be read ({' '.join(str(error).split())[:200]})")
            return None
        if found is None:
            return None
        saved, stamp = found
        other = [name for name, value in self._stamp.items() if stamp.get(name) != value]
        if other:
            self._ignore(f"it is of other {' and '.join(other)}")
            return None
        return saved

    def save_if_due(self, saved: Callable[[], TrainingState]) -> None:
        """Save this state if enough seconds have passed since the last time."""
        interval = float(os.environ.get("SCALING_CHECKPOINT_S", INTERVAL_S))
        if time.monotonic() - self._last >= interval:
            self._checkpoints.write(self.name, to_bytes(saved(), self._stamp))
            self._last = time.monotonic()

    def remove(self) -> None:
        self._checkpoints.remove(self.name)

    def _ignore(self, reason: str) -> None:
        self._checkpoints.report(f"{self.name} is not used, {reason}: training begins anew")


def _name(runs: Sequence[str]) -> str:
    """Return a model's run_id, or a name that depends on all models and their order."""
    if len(runs) == 1:
        return runs[0]
    return f"{len(runs)}-models-{hashlib.sha256(' '.join(runs).encode()).hexdigest()[:12]}"


@cache
def _code() -> dict[str, str]:
    """Return digests of the code that trains: this package's files and the numerical libraries."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    libraries = " ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "numba"))
    return {"code": digest.hexdigest(), "libraries": libraries}
