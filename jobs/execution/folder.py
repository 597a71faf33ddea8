"""Hold a results folder, write plans into it, mend what is damaged, and compact it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from filelock import FileLock, Timeout

from scaling.errors import InputError
from scaling.store.compact import MANY, compact
from scaling.store.mend import put_aside
from scaling.store.schema import SCHEMAS
from scaling.store.store import State, Store, check_read

Report = Callable[[str], None]


@contextmanager
def exclusive_lock(store: Store) -> Iterator[None]:
    """Hold the results folder, so that two sweeps do not train the same models.

    The lock goes with its process, however that ends. Object stores have no locks: `announced`
    reports two sweeps there, of which the worst is double work, as equal models have equal names.
    """
    if not store.is_local:
        yield
        return
    lock = FileLock(store.root / ".lock", timeout=0, mode=0o600)  # or others could hold it
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"another sweep is writing to {store.out}: wait for it, or name another folder"
        ) from None
    except OSError as error:
        raise InputError(
            f"{store.out} cannot be locked ({error.strerror or error}), so two sweeps could train"
            " the same models: name a folder of a file system with locks, or a bucket, with --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def write_plan(store: Store, made: Mapping[str, Any], report: Report) -> None:
    """Write a plan; put a damaged one of that name aside before."""
    _, damaged = store.find_plans()
    for file in damaged:
        if file.name == made["name"]:
            check_read([file])
            where = store.set_aside(f"{file.kind}/{file.name}.json")
            report(f"warning: {file}; it is now {where}, and was written anew")
    store.write_plan(made)


def mended_state(store: Store, report: Report) -> State:
    """Put damaged files and copies aside; return the state afterwards."""
    contents = store.contents(whole=False)
    store.sync(*SCHEMAS)
    for line in put_aside(contents, store):
        report(f"warning: {line}")
    for file in contents.corrupt:
        if file.kind == "studies":
            report(f"warning: {file}: sweep {file.name} again and it is written anew")
    return store.state() if contents.corrupt or contents.misplaced else contents.state


def compact_folder(
    store: Store, report: Report, between: Callable[[], None] = lambda: None
) -> None:
    """Write all models into few files. Raises InputError where a file cannot be written.

    `between` is called between two files.
    """
    mended_state(store, report)
    done = compact(store.contents(), store, between)
    report(
        f"{store.out}: {done.models:,} models in {done.files:,} files of"
        f" {done.bytes / 1e6:,.1f} MB; they were {done.files_before:,} files of"
        f" {done.bytes_before / 1e6:,.1f} MB"
    )


def tidied_state(store: Store, report: Report, between: Callable[[], None]) -> State:
    """Put the copies aside that training left, compact very many files; return the state.

    Where one of two files of several models was damaged, all were trained again, and the rows of
    the other are copies then.
    """
    if len(store.file_names("metrics", ".parquet")) >= MANY:
        compact_folder(store, report, between)
    contents = store.contents(whole=False)
    if contents.misplaced and not contents.corrupt:
        return mended_state(store, report)
    return contents.state
