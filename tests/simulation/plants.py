"""Bugs that are planted on purpose, to see that seeds find them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

from jobs.execution import folder
from jobs.execution.dispatch import Dispatch
from jobs.execution.queue import Queue
from jobs.execution.trial_source import TrialSource, Worker
from scaling.store import compact
from scaling.store.files import Files
from scaling.store.store import Store

from .disk import SimulatedDisk
from .patches import Lock


def _nothing(*_: Any) -> None:
    """Do nothing where something should be done."""


def _no_fsync() -> Any:
    """Files of which nothing was synced when they were moved into place."""
    return mock.patch.object(SimulatedDisk, "sync", _nothing)


def _no_fsync_of_folders() -> Any:
    """Names that are not synced when their model counts as stored."""
    return mock.patch.object(SimulatedDisk, "sync_folder", _nothing)


def _no_lock() -> Any:
    """A lock that is not held."""
    return mock.patch.object(Lock, "acquire", _nothing)


def _metrics_first() -> Any:
    """Predictions that are written after the metrics, which mark a model as finished."""
    write, waiting = Store._write, list[Any]()

    def swapped(self: Store, kind: str, name: str, rows: Any) -> None:
        if kind == "predictions":
            waiting.append((self, kind, name, rows))
            return
        write(self, kind, name, rows)
        while waiting and kind == "metrics":
            write(*waiting.pop())

    return mock.patch.object(Store, "_write", swapped)


def _deletes_first() -> Any:
    """A compaction that deletes the small files before the large ones are there."""
    real = compact.compact

    def hasty(contents: Any, store: Store, between: Callable[[], None]) -> Any:
        for kind in reversed(compact.KINDS):
            for name in contents.sound[kind]:
                store.delete_file(f"{kind}/{name}.parquet")
        return real(contents, store, between)

    return mock.patch.object(folder, "compact", hasty)


def _unverified() -> Any:
    """A compaction that deletes every file that is there, as it was before."""
    real = compact.compact

    def blind(contents: Any, store: Store, between: Callable[[], None]) -> Any:
        done = real(contents, store, between)
        for kind in reversed(compact.KINDS):
            for name in store.stamps(kind):
                if not name.startswith(compact.COMPACT) and len(store.stamps(kind)) > 1:
                    store.delete_file(f"{kind}/{name}.parquet")
        return done

    return mock.patch.object(folder, "compact", blind)


def _errors_are_success() -> Any:
    """Retries that take an error for success."""
    real = Files._change

    def lenient(self: Files, *args: Any, **kwargs: Any) -> None:
        with suppress(Exception):
            real(self, *args, **kwargs)

    return mock.patch.object(Files, "_change", lenient)


def _one_try() -> Any:
    """A file that is believed to be damaged after one reading."""
    from scaling.store import files

    return mock.patch.object(files, "READINGS", 1)


def _forgotten() -> Any:
    """A batch whose worker was lost, and that nobody trains again."""
    return mock.patch.object(TrialSource, "failed", return_value="trained again")


def _kept_slots() -> Any:
    """Slots that stay taken when their batch has ended."""
    return mock.patch.object(Queue, "ended_trial", _nothing)


def _sent_nothing() -> Any:
    """A worker that is let go on, and is sent its first batch only."""
    real = Dispatch._next

    def once(self: Dispatch, trial_id: str, actor: Any, worker: Worker) -> None:
        if worker.fresh:
            real(self, trial_id, actor, worker)

    return mock.patch.object(Dispatch, "_next", once)


PLANTS: dict[str, Callable[[], Any]] = {
    "no fsync": _no_fsync,
    "no fsync of folders": _no_fsync_of_folders,
    "no lock": _no_lock,
    "metrics first": _metrics_first,
    "compaction deletes first": _deletes_first,
    "compaction deletes what it did not read": _unverified,
    "errors are success": _errors_are_success,
    "one reading": _one_try,
    "a lost batch is forgotten": _forgotten,
    "slots stay taken": _kept_slots,
    "a worker is sent nothing more": _sent_nothing,
}


# The faults that a planted bug needs; in worlds of all kinds they are found in 1 and 2 of 200.
NEEDS = {"one reading": ("flips",), "errors are success": ("full", "outages")}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant a bug for the time of a block; the simulation must be installed."""
    with PLANTS[name]():
        yield
