"""Prepared data sets on this node: made once under a file lock, then memory-mapped."""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaling.errors import InputError

Array = NDArray[Any]
Arrays = dict[str, Array]
PARTS = ("x_train", "y_train", "x_test", "y_test")


def cache_dir() -> Path:
    """Return SCALING_CACHE_DIR, or the user's cache folder."""
    if named := os.environ.get("SCALING_CACHE_DIR"):
        return Path(named)
    try:
        import platformdirs
    except ModuleNotFoundError:  # `scaling check` needs only numpy, torch and numba; Linux's folder
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scaling-study"
    return Path(platformdirs.user_cache_dir("scaling-study"))


@contextmanager
def locked(name: str, part: str = "datasets") -> Iterator[Path]:
    """Lock a folder in a part of the cache against other processes of this node and yield it.

    Raises InputError where it cannot be written, or all users can write it.
    """
    folder = cache_dir() / part / name
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in (cache_dir(), folder.parent, *([folder] if folder.exists() else [])):
            if os.name == "posix" and place.stat().st_mode & stat.S_IWOTH:
                raise InputError(
                    f"all users can write {place}, and change what is trained on: chmod o-w it, or"
                    " name a folder of yours in SCALING_CACHE_DIR"
                )
        with _file_lock(folder.with_suffix(".lock")):
            yield folder
    except OSError as error:
        raise InputError(
            f"the cache {cache_dir()} cannot be used ({error.strerror or error}):"
            " name a folder of yours in SCALING_CACHE_DIR"
        ) from error


def _file_lock(path: Path) -> AbstractContextManager[object]:
    """Return an exclusive lock: filelock's, or without it the same lock by flock (Linux, macOS)."""
    try:
        from filelock import FileLock
    except ModuleNotFoundError:
        return _flock(path)
    lock: AbstractContextManager[object] = FileLock(path)
    return lock


@contextmanager
def _flock(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # closing the file releases it
        yield


def make_once(
    name: str,
    make: Callable[[], Arrays],
    stamps: Mapping[str, Any] | None = None,
    check: Callable[[], object] | None = None,
) -> Path:
    """Return the folder of a prepared data set; make it if it is missing.

    `check` checks the user's own files again whenever their `stamps` have changed, so that a
    damaged file is reported although the cache would do.
    """
    with locked(name) as folder:
        made = _note(folder)
        if not made:
            _make(folder, make(), {"stamps": stamps or {}})
        elif stamps and check and made["stamps"] != stamps:
            check()
            _write_note(folder, made | {"stamps": stamps})
    return folder


def inspect_once(
    name: str, make: Callable[[], tuple[Arrays, tuple[str, ...]]], inspection: int
) -> Path:
    """Return the folder of a prepared and inspected data set; make it if it is missing.

    `make` returns the arrays and the warnings. A data set that an earlier version inspected is
    inspected again but not written again, as other processes may have it open.
    """
    with locked(name) as folder:
        made = _note(folder)
        if made.get("inspection") != inspection:
            arrays, warnings = make()
            found = {"inspection": inspection, "warnings": warnings}
            if made:
                _write_note(folder, made | found)
            else:
                _make(folder, arrays, {"stamps": {}, **found})
    return folder


def warnings(folder: Path) -> tuple[str, ...]:
    """Return the warnings that were noted when a data set was inspected."""
    return tuple(_note(folder).get("warnings", ()))


def rows(folder: Path) -> dict[str, int]:
    """Return the numbers of images and labels of a prepared data set, by part."""
    found: dict[str, int] = _note(folder)["rows"]
    return found


def open_array(path: Path) -> Array:
    """Return a memory-mapped array. Raises InputError for a damaged file."""
    try:
        opened: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is damaged ({error}): delete {path.parent} and it is made again"
        ) from error
    return opened


def verify(folder: Path) -> str:
    """Return the sha256 of a prepared data set.

    Raises InputError if it differs from the one noted when the data set was made.
    """
    got = checksum(open_array(folder / f"{part}.npy") for part in PARTS)
    expected = _note(folder)["sha256"]
    if got != expected:
        raise InputError(
            f"{folder} is damaged: sha256 {got[:12]}…, expected {expected[:12]}…;"
            " delete it and it is made again"
        )
    return got


def stamps_of(paths: list[Path]) -> dict[str, Any]:
    """Return size and modification time of each file: if they are the same, so is the file."""
    return {str(path.resolve()): [path.stat().st_size, path.stat().st_mtime_ns] for path in paths}


def _note(folder: Path) -> dict[str, Any]:
    """Return the note written with a data set; empty for one that is missing or incomplete."""
    try:
        note: dict[str, Any] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return note if {"sha256", "rows", "stamps"} <= note.keys() else {}


def _write_note(folder: Path, note: Mapping[str, Any]) -> None:
    part = folder / "made.part"
    part.write_text(json.dumps(note), encoding="utf-8")
    part.replace(folder / "made.json")


def _make(folder: Path, arrays: Arrays, found: Mapping[str, Any]) -> None:
    """Write everything into a folder beside the final one and move it there in one step."""
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        for name in PARTS:
            np.save(part / f"{name}.npy", arrays[name])
        made = {
            "sha256": checksum(arrays[name] for name in PARTS),
            "rows": {name: len(arrays[name]) for name in PARTS},
            **found,
        }
        _write_note(part, made)
        shutil.rmtree(folder, ignore_errors=True)  # it is incomplete without made.json
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def checksum(arrays: Iterable[Array]) -> str:
    """Return the sha256 over dtypes, shapes and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
