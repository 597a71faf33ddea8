"""Read what others wrote: regular files of bounded size, JSON by a schema, text without controls.

A results folder or a data file may come from a stranger. Sizes are known before memory is taken,
and whatever is wrong is one line.
"""

import gzip
import io
import os
import re
import reprlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

if TYPE_CHECKING:  # when it runs, `scaling check` has numpy, torch and numba alone
    from pydantic import TypeAdapter

T = TypeVar("T")

# Measured: a plan of 100,000 cells of one model each has 141 MB and 6.4 million values.
MOST_JSON = 2**28  # bytes
MOST_VALUES = 8_000_000
MOST_UNZIPPED = 2**26  # the largest published file has 47 MB
MOST_SMALL = 2**24  # bytes of any other JSON file; assumed
MOST_SHOWN = 80  # characters of a value in a message

# Terminals obey the first ranges; the others change the order of what is shown.
CONTROLS = (
    r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"  # of text in one line
)
_CONTROLS = re.compile(rf"(?![\t\n])[{CONTROLS}\ud800-\udfff]")
_SECRETS = (
    re.compile(r"(https?://)\S*@"),
    re.compile(r"(\w+://[^\s/:@]*):[^\s/@]*(?=@)"),
    re.compile(r"(https?://[^\s?#]*)[?#][^\s)\"']*"),
    re.compile(r"(with url: [^\s?#]*)[?#][^\s)\"']*"),  # as urllib3 names it
)


class Refused(OSError):
    """A file that is not opened: no regular one, too large, or outside of its folder."""


def read_regular(path: str | Path, most: int) -> bytes:
    """Return the bytes of a regular file of at most so many.

    Raises FileNotFoundError, Refused for a FIFO, a device and a larger file, or another OSError.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise Refused(f"it has {size:,} bytes, expected at most {most:,}")
        return file.read(most)


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file, without waiting for the other end of a FIFO.

    Raises FileNotFoundError, Refused for a FIFO and a device, or another OSError.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Refused("it is no regular file")
    return file


def unzip(body: bytes, most: int = MOST_UNZIPPED) -> bytes:
    """Return the content of a gzip file. Raises ValueError for more of it than `most` bytes."""
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise ValueError(f"more than {most:,} bytes when decompressed")
    return found


def path_inside(root: str, name: str, *, follow: bool = True) -> str:
    """Return the path of a file in a folder, whose links may lead to other places of it.

    Without `follow` the file itself may be any link, which is about to be replaced.
    Raises Refused for a name or a link that leads out of the folder.
    """
    parts = name.split("/")
    if ".." in parts or not all(parts):
        raise Refused(f"{name[:MOST_SHOWN]} is no name of a file in the folder")
    path, whole = root, f"{root}/{name}"
    for part in parts if follow else parts[:-1]:
        path = f"{path}/{part}"
        if Path(path).is_symlink():
            home, led = os.path.realpath(root), os.path.realpath(path)
            if os.path.commonpath([home, led]) != home:
                raise Refused(f"{path} is a link that leads out of the folder")
    return whole


def parse_json(body: bytes, *, most: int = MOST_JSON, nan: bool = False) -> Any:
    """Return the value of a JSON file.

    Raises ValueError with one line for other text, 200 lists in each other, and more of it
    than memory is for; without `nan` also for NaN.
    """
    from pydantic_core import from_json

    if len(body) > most:
        raise ValueError(f"it has {len(body):,} bytes, expected at most {most:,}")
    values, fewer = sum(map(body.count, (b"[", b"{", b","))), MOST_VALUES * most // MOST_JSON
    if values > fewer:
        raise ValueError(f"it has {values:,} values, expected at most {fewer:,}")
    return from_json(body, allow_inf_nan=nan)


def conform(value: Any, schema: "TypeAdapter[T]") -> T:
    """Return a value as its schema makes it. Raises ValueError with one line for another value."""
    from pydantic import ValidationError

    try:
        return schema.validate_python(value)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def without_secrets(text: str) -> str:
    """Return a text without the passwords of its URLs, and the queries of those of the web."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1", text)
    return text


def visible(text: str) -> str:
    """Return a text whose control characters are shown by their numbers, and obeyed by nobody."""
    return _CONTROLS.sub(lambda found: _number(ord(found[0])), text)


def _number(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _first(error: Any) -> str:
    """Return the first error of a schema in one line: where, what was expected, what was got."""
    found = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in found["loc"]) or "it"
    if found["type"] == "missing":
        return visible(f"{where[:MOST_SHOWN]} is missing")
    got = reprlib.repr(found["input"])[:MOST_SHOWN]
    if found["type"] == "string_pattern_mismatch":  # its message is the pattern
        return visible(f"{where[:MOST_SHOWN]} is {got}, with characters that no name has")
    return visible(f"{where[:MOST_SHOWN]} is {got}: {found['msg'][:MOST_SHOWN]}")
