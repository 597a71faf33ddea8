"""A kernel on disk: machine code and JSON, in a folder that only its user can write.

A file is a line of JSON followed by the code of each function. The line holds the kernel's key, the
digest of its results on fixed examples (self_check.py), and for each function its name, its length
and its checksum. Nothing in it is ever unpickled.

Anyone who can write a file of machine code can run code as the user who loads it. So the folder
belongs to the user and is closed to all others, and a file is opened once: the bytes that are read
are those of the file that was checked.
"""

import hashlib
import json
import os
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scaling.cache import cache_dir
from scaling.errors import InputError

FORMAT = 2  # 1 was numba's own pickles, under the name "kernels"
MAX_BYTES = 64 * 2**20  # a kernel takes 70 kB (measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKernel:
    """The functions of a kernel by name, and the digest of their results."""

    codes: dict[str, bytes]
    digest: str


def folder_name() -> str:
    """Return the part of the cache that holds this user's kernels."""
    return f"kernels-{FORMAT}-{os.getuid()}" if hasattr(os, "getuid") else f"kernels-{FORMAT}"


def private_folder() -> Path:
    """Return the folder of this user's kernels; make it if missing, close it if open to others.

    Raises InputError where it cannot be written or belongs to another user.
    """
    folder = cache_dir() / folder_name()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if not _own(found):
            raise InputError(
                f"{folder} belongs to another user (number {found.st_uid}): machine code is loaded"
                " from a folder of your own only; name one in SCALING_CACHE_DIR"
            )
        if _open_to_others(found):
            folder.chmod(0o700)
            for path in folder.glob("*.kernel"):  # they may be another user's
                path.unlink(missing_ok=True)
            sys.stderr.write(f"{folder} was writable by others: its kernels are not used\n")
    except OSError as error:
        raise InputError(
            f"the cache {cache_dir()} cannot be used ({error.strerror or error}):"
            " name a folder of yours in SCALING_CACHE_DIR"
        ) from error
    return folder


def read(path: Path, key: str, names: tuple[str, ...]) -> StoredKernel | None:
    """Return the kernel of this key; None if it is missing, damaged or open to others.

    Raises InputError for an unreadable file.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not _own(found) or _open_to_others(found) or found.st_size > MAX_BYTES:
                sys.stderr.write(f"{path} is not this user's alone: it is not used\n")
                return None
            return _parse(file.read(), key, names)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"the kernel {path} cannot be read ({error.strerror or error}): delete it"
        ) from error


def write(path: Path, key: str, stored: StoredKernel) -> None:
    """Write a kernel atomically, so that a reader never sees half of it."""
    parts = [[name, len(code), _sum(code)] for name, code in stored.codes.items()]
    line = json.dumps({"format": FORMAT, "key": key, "digest": stored.digest, "parts": parts})
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(line.encode() + b"\n" + b"".join(stored.codes.values()))
        Path(part).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(part).unlink()
        raise


def _parse(body: bytes, key: str, names: tuple[str, ...]) -> StoredKernel | None:
    line, _, rest = body.partition(b"\n")
    try:
        header = json.loads(line)
        parts, digest = header["parts"], header["digest"]
        if (header["format"], header["key"]) != (FORMAT, key) or not isinstance(digest, str):
            return None
        if tuple(name for name, _, _ in parts) != names:
            return None
        codes, at = {}, 0
        for name, length, checksum in parts:
            codes[name] = rest[at : at + length]
            at += length
            if length < 1 or _sum(codes[name]) != checksum:
                return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return StoredKernel(codes=codes, digest=digest) if at == len(rest) else None


def _sum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _own(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _open_to_others(found: os.stat_result) -> bool:
    return os.name == "posix" and bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
