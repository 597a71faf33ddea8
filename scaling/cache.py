"""Prepared data sets on this node: made once, under a file lock, and memory-mapped ever after."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock

from scaling.data import Array, checksum
from scaling.errors import InputError

Arrays = dict[str, Array]
PARTS = ("x_train", "y_train", "x_test", "y_test")


def cache_dir() -> Path:
    """SCALING_CACHE_DIR, or the user's cache folder."""
    named = os.environ.get("SCALING_CACHE_DIR")
    return Path(named) if named else Path(platformdirs.user_cache_dir("scaling-study"))


@contextmanager
def locked(name: str, part: str = "datasets") -> Iterator[Path]:
    """A folder in a part of the cache, held against other processes of this node.

    Raises InputError where it cannot be written.
    """
    folder = cache_dir() / part / name
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            yield folder
    except OSError as error:
        raise InputError(
            f"the cache {cache_dir()} cannot be used ({error.strerror or error}):"
            " name a folder of yours in SCALING_CACHE_DIR"
        ) from error


def make_once(
    name: str,
    make: Callable[[], Arrays],
    stamps: Mapping[str, Any] | None = None,
    check: Callable[[], object] | None = None,
) -> Path:
    """The folder of a prepared data set, made if it is not there.

    The user's own files are checked again whenever they look different (`stamps`) from when they
    were last checked, so that a damaged file is named even where the cache would do.
    """
    with locked(name) as folder:
        made = _note(folder)
        if not made:
            _make(folder, make(), stamps or {})
        elif stamps and check and made["stamps"] != stamps:
            check()
            part = folder / "made.part"
            part.write_text(json.dumps(made | {"stamps": stamps}), encoding="utf-8")
            part.replace(folder / "made.json")
    return folder


def rows(folder: Path) -> dict[str, int]:
    """How many images and labels a prepared data set has, by part."""
    found: dict[str, int] = _note(folder)["rows"]
    return found


def open_array(path: Path) -> Array:
    """A memory-mapped array. Raises InputError if the file was damaged since it was made."""
    try:
        opened: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is damaged ({error}): delete {path.parent} and it is made again"
        ) from error
    return opened


def verify(folder: Path) -> str:
    """sha256 over a prepared data set, compared with the one noted when it was made.

    Raises InputError if they differ.
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
    """What tells at a glance whether files are still the same: size and time of change."""
    return {str(path.resolve()): [path.stat().st_size, path.stat().st_mtime_ns] for path in paths}


def _note(folder: Path) -> dict[str, Any]:
    """What was noted when the data set was made; empty where that is not, or not whole."""
    try:
        note: dict[str, Any] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return note if {"sha256", "rows", "stamps"} <= note.keys() else {}


def _make(folder: Path, arrays: Arrays, stamps: Mapping[str, Any]) -> None:
    """Write everything into a folder beside the final one and move it there in one step."""
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        for name in PARTS:
            np.save(part / f"{name}.npy", arrays[name])
        made = {
            "sha256": checksum(arrays[name] for name in PARTS),
            "rows": {name: len(arrays[name]) for name in PARTS},
            "stamps": stamps,
        }
        (part / "made.json").write_text(json.dumps(made), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # without made.json it is not whole
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
