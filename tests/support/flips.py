"""Flip a bit of a file, as a disk may."""

from pathlib import Path


def flip(path: Path, bit: int) -> None:
    body = bytearray(path.read_bytes())
    body[bit // 8] ^= 1 << bit % 8
    path.write_bytes(body)
