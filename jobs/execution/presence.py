"""Drivers of one bucket report each other: each has an object there, which it renews.

A bucket has no lock. Two sweeps lose and change nothing there, as equal models have equal names,
but they train some models twice.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter
from ray import tune
from typing_extensions import TypedDict

from scaling.errors import InputError
from scaling.store.documents import now
from scaling.store.store import Store
from scaling.untrusted import visible

FOLDER, SUFFIX = "drivers", ".json"
RENEW_S = 60.0  # assumed: a request now and then
STALE_S = 300.0  # assumed: who has renewed nothing for so long is dead
ADVICE = "models may be trained twice; wait for it, or stop one of the two"
Text = Annotated[str, StringConstraints(max_length=200)]


class Driver(TypedDict):
    """What a driver writes of itself."""

    doing: Text
    host: Text
    pid: int
    since: Text


DRIVER = TypeAdapter[Driver](Driver)


class Presence(tune.Callback):
    """Write this driver's object from time to time, and report each other driver once."""

    def __init__(self, store: Store, doing: str, report: Callable[[str], None]) -> None:
        self._store, self._report = store, report
        self._name = f"{FOLDER}/{uuid.uuid4().hex[:12]}{SUFFIX}"
        self._mine: Driver = {
            "doing": doing[:200],
            "host": socket.gethostname()[:200],
            "pid": os.getpid(),
            "since": f"{now():%Y-%m-%d %H:%M} UTC",
        }
        self._reported: set[str] = set()
        self._due = 0.0

    def __getstate__(self) -> dict[str, object]:
        """Leave everything out: Ray Tune pickles its callbacks, and a bucket is none."""
        return {}

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        self.renew()

    def renew(self) -> None:
        """Renew our object if that is due, and look for others; a failure is left for next time."""
        if self._store.is_local or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + RENEW_S
        with suppress(InputError, OSError):
            self._store.write_json(self._name, {**self._mine, "renewed_at": now().isoformat()})
            self._look()

    def leave(self) -> None:
        """Delete our object; if that fails, it is stale in some minutes."""
        if not self._store.is_local:
            with suppress(InputError, OSError):
                self._store.delete_file(self._name)

    def _look(self) -> None:
        """Report other drivers; delete the objects of dead ones. All times are the server's."""
        stamps = self._store.file_stamps(FOLDER, SUFFIX)
        if self._name not in stamps:  # a list that is not up to date
            return
        here = stamps[self._name][1]
        for name, (_, renewed) in stamps.items():
            if name == self._name:
                continue
            if here - renewed > STALE_S * 1e9:
                self._store.delete_file(name)
            elif name not in self._reported:
                self._reported.add(name)
                self._report(f"warning: {self._who(name)} uses {self._store.out} too: {ADVICE}")

    def _who(self, name: str) -> str:
        found, _ = self._store.read_json([name], DRIVER)
        for driver in found:
            where = f"process {driver['pid']} on {driver['host']}, since {driver['since']}"
            return visible(f"another command ({driver['doing']}, {where})")
        return "another command"


@contextmanager
def announced(store: Store, doing: str, report: Callable[[str], None]) -> Iterator[Presence]:
    """Let other drivers of a bucket know of this one for the time of a block."""
    presence = Presence(store, doing, report)
    presence.renew()
    try:
        yield presence
    finally:
        presence.leave()
