"""What the code under test gets in place of the machine: clock, chance, locks, disk, cluster."""

import time as real_time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock
from uuid import UUID

import filelock

from jobs.execution import (
    dispatch,
    folder,
    inbox,
    presence,
    run_record,
    silence,
    sweep,
    worker,
)
from jobs.planning.batches import Slots
from scaling import engines
from scaling.progress import Progress
from scaling.store import checkpoints, documents, files, places, retries, rows, store
from scaling.store import folder as store_folder

from . import cluster, models, trial
from .bucket import SimulatedBucket
from .disk import SimulatedDisk
from .memory import REMEMBERED, NoOlderFiles
from .world import world

START = datetime(2026, 1, 1, tzinfo=UTC)
FAILURES_S = 100  # between two different times of failures: they are ordered by it
TIMES = 2  # different values of created_at: equal bytes are encoded and read once


def monotonic() -> float:
    return float(world().now) if world() else real_time.monotonic()


def sleep(seconds: float) -> None:
    world().sleep(seconds)


def now() -> datetime:
    return START + timedelta(seconds=float(world().now))


def row_time() -> datetime:
    """Return when a row is made: two trainings of a model differ by it, now and then."""
    return START + timedelta(seconds=int(world().now) % TIMES)


def failure_time() -> datetime:
    return START + timedelta(seconds=int(world().now) // FAILURES_S * FAILURES_S)


class Clock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return now().replace(tzinfo=tz)


class Lock:
    """A lock of a file, which goes with its process, however that ends."""

    def __init__(self, path: Any, **_: Any) -> None:
        self.path = str(path)

    def acquire(self) -> None:
        here = world()
        here.step(f"locks {self.path}")
        holder = here.locks.get(self.path)
        if holder is not None and here.alive(holder):
            raise filelock.Timeout(self.path)
        here.locks[self.path] = here.current

    def release(self) -> None:
        here = world()
        if here.locks.get(self.path) is here.current:
            del here.locks[self.path]


class Lines(Progress):
    """A progress line that only notes what would be printed."""

    def __enter__(self) -> Self:
        return self

    def say(self, line: str) -> None:
        world().note(f"prints: {line}")


def open_place(out: str) -> tuple[places.Bucket, str]:
    here = world()
    if "://" in out:
        root = out.partition("://")[2]
        return SimulatedBucket(here, here.objects, root), root
    return SimulatedDisk(here, here.platter, out), out


def uuid4() -> UUID:
    """Return a number of the world's own; `Random.getrandbits` replays."""
    draw: Random = world().draw
    return UUID(int=draw.getrandbits(128))


def slots(*_: Any) -> Slots:
    return Slots(cpu=world().n_workers)


def place_of(trial: Any) -> tuple[str, int]:
    return trial.node, 1


def error_of(trial: Any) -> BaseException:
    error: BaseException = trial.error
    return error


PROVENANCE = {
    "git_commit": None,
    "host": "simulated",
    "versions": [("numpy", "1")],
    "schema_version": 1,
}
CLOCK = SimpleNamespace(monotonic=monotonic, sleep=sleep)
MACHINE = SimpleNamespace(gethostname=lambda: "simulated", getpid=lambda: 1)
UUIDS = SimpleNamespace(uuid4=uuid4)
ENGINES = SimpleNamespace(
    train=models.train,
    unsupported_reason=engines.unsupported_reason,
    choose=engines.choose,
    warm_up=lambda *_: None,
)
REPLACED = (
    (places, "open_place", open_place),
    *((module, "time", CLOCK) for module in (retries, checkpoints, worker, silence, presence)),
    *((module, "uuid", UUIDS) for module in (files, store_folder, run_record, presence)),
    *((module, "now", now) for module in (run_record, presence)),
    (store, "now", failure_time),
    *((module, "now", row_time) for module in (documents, rows)),
    (retries, "datetime", Clock),
    (store, "Reader", NoOlderFiles),
    (rows, "provenance", lambda: PROVENANCE),
    (rows, "engine_versions", lambda *_: {"engine": "1"}),
    (checkpoints, "_code", lambda: {"code": "1", "libraries": "1"}),
    (checkpoints, "INTERVAL_S", 5.0),
    *((module, "socket", MACHINE) for module in (run_record, presence)),
    (presence, "os", MACHINE),
    (folder, "FileLock", Lock),
    *((module, "tune", SimpleNamespace(report=cluster.report)) for module in (worker, inbox)),
    (inbox, "_inbox", trial.Inbox()),
    (worker, "engines", ENGINES),
    (worker, "datasets", SimpleNamespace(load=lambda *_: None)),
    (silence, "ray", SimpleNamespace(kill=cluster.kill)),
    *((module, "place_of", place_of) for module in (silence, dispatch)),
    (dispatch, "error_of", error_of),
    (sweep, "run_trials", cluster.run_trials),
    (sweep, "engines", ENGINES),
    (sweep, "Progress", Lines),
    (sweep, "connect", SimpleNamespace(connected=lambda *_: nullcontext("a simulation"))),
    (sweep, "capacity", SimpleNamespace(available_slots=slots)),
    *REMEMBERED,
)


@contextmanager
def installed() -> Iterator[None]:
    """Replace the machine for the time of a block."""
    patches = [mock.patch.object(place, name, value) for place, name, value in REPLACED]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
