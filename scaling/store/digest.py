"""Seal a file with digests of its own bytes, so that no bit of it changes unseen.

The digests lie within the file, where no copy loses them. A sealed file says so at two places: a
flipped bit cannot make it look like a file from before there were digests.

A sealed Parquet file is one that every reader takes: between its row groups and its footer, where
Parquet allows any bytes, it has a block of

    BEGIN, then for each row group (end of its bytes, their SHA-256), the number of row groups,
    the SHA-256 of all else (of this block and the footer), END.
"""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BEGIN, END = b"\x93scaling-sha256\n", b"\nsha256-scaling\x94"
MAGIC = b"PAR1"  # at both ends of a Parquet file
TAIL = 8  # bytes after the footer: its length and MAGIC
GROUP = struct.Struct("<Q32s")  # of a row group: end and digest
COUNT = struct.Struct("<I")
DIGEST = 32  # bytes
# The first and the last key of a JSON file: of its object, or of its first and its last one.
SEALED, SHA256 = "scaling_sealed", "scaling_sha256"
AT_THE_END = re.compile(rb'"scaling_sha256": ?"([0-9a-f]{64})"\s*}\s*]?\s*$')
ZEROS = "0" * 64  # in place of its digest, while that is computed


class DamagedError(ValueError):
    """Bytes that are not those that were written."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What the digests of a file say: whether it has any, and which row groups changed."""

    sealed: bool
    lost: tuple[int, ...] = ()


def seal_parquet(body: bytes, ends: Sequence[int]) -> bytes:
    """Return a Parquet file with its digests; `ends` are those of its row groups in bytes."""
    cut = _footer_start(body)
    block, start = bytearray(BEGIN), 0
    for end in ends:
        block += GROUP.pack(end, hashlib.sha256(body[start:end]).digest())
        start = end
    block += COUNT.pack(len(ends))
    rest = _digest(body[start:cut], block, END, body[cut:])
    return b"".join((body[:cut], block, rest, END, body[cut:]))


def check_parquet(body: bytes) -> Seal:
    """Return what the digests say of a Parquet file's bytes.

    Raises DamagedError where the footer cannot be trusted: then nothing of the file can.
    """
    cut = _footer_start(body) - len(END)
    at = cut - DIGEST - COUNT.size
    (count,) = COUNT.unpack_from(body, at) if at > 0 else (0,)
    first = at - count * GROUP.size
    begin = first - len(BEGIN)
    if begin < len(MAGIC) or body[begin:first] != BEGIN or not body.startswith(END, cut):
        if BEGIN in body or END in body:
            raise DamagedError("its digests are damaged")
        return Seal(sealed=False)
    groups = [GROUP.unpack_from(body, first + i * GROUP.size) for i in range(count)]
    last = groups[-1][0] if groups else 0
    block, rest = body[begin : cut - DIGEST], body[cut - DIGEST : cut]
    if _digest(body[last:begin], block, body[cut:]) != rest:
        raise DamagedError("its footer is not what was written")
    starts = [0, *(end for end, _ in groups)]
    changed = [
        i
        for i, (start, (end, digest)) in enumerate(zip(starts, groups, strict=False))
        if _digest(body[start:end]) != digest
    ]
    return Seal(sealed=True, lost=tuple(changed))


def seal_json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]], **layout: Any) -> bytes:
    """Return an object, or several, as JSON with the digest of its text.

    `layout` goes to json.dumps.
    """
    objects = [dict(value)] if isinstance(value, Mapping) else [dict(each) for each in value]
    objects[0] = {SEALED: "sha256", **objects[0]}
    objects[-1][SHA256] = ZEROS
    text = json.dumps(objects[0] if isinstance(value, Mapping) else objects, **layout)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return digest.join(text.rsplit(ZEROS, 1)).encode()


def check_json(body: bytes) -> bool:
    """Return whether a JSON file is sealed. Raises DamagedError if it is not what was written."""
    marks = [f'"{mark}"'.encode() in body for mark in (SEALED, SHA256)]
    if not any(marks):
        return False
    found = AT_THE_END.search(body)
    if found is None or not all(marks):
        raise DamagedError("its digest is damaged")
    start, end = found.span(1)
    if _digest(body[:start], ZEROS.encode(), body[end:]).hex().encode() != found[1]:
        raise DamagedError("it is not what was written")
    return True


def open_json(body: bytes, parse: Callable[[bytes], Any] = json.loads) -> Any:
    """Return the value of a JSON file, without the words of its seal.

    Raises DamagedError where it is not what was written, ValueError and RecursionError where it is
    no JSON.
    """
    sealed = check_json(body)
    value = parse(body)
    if sealed:
        try:
            first, last = (value[0], value[-1]) if isinstance(value, list) else (value, value)
            del first[SEALED], last[SHA256]
        except (KeyError, TypeError) as error:
            raise DamagedError("its digest is not where it belongs") from error
    return value


def _footer_start(body: bytes) -> int:
    """Return where the footer begins. Raises DamagedError where that cannot be."""
    if len(body) < len(MAGIC) + TAIL or not (body.startswith(MAGIC) and body.endswith(MAGIC)):
        raise DamagedError(f"{len(body):,} bytes that are no whole Parquet file")
    start = len(body) - TAIL - int.from_bytes(body[-TAIL:-4], "little")
    if start < len(MAGIC):
        raise DamagedError("its footer is longer than the file")
    return start


def _digest(*parts: bytes | bytearray) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.digest()
