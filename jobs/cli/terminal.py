"""Print to terminals and logs that cannot hold every character."""

import codecs
import io
import sys
from collections.abc import Sequence
from typing import Any

from scaling.errors import InputError
from scaling.untrusted import visible

PLAIN = {"×": "x", "±": "+-", "≥": ">=", "≤": "<=", "…": "...", "“": '"', "”": '"', "’": "'",
         "²": "^2", "³": "^3", "–": "-", "−": "-", "→": "->", "µ": "u"}  # fmt: skip


def printable(*streams: Any) -> None:
    """Make these streams print something for each character, whatever their encoding."""
    codecs.register_error("scaling", _instead)
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="scaling")


class Visible(io.TextIOBase):
    """A stream that shows control characters by their numbers, in place of sending them.

    What is printed may come from a stranger's folder. The bars of rich are sent as they are.
    """

    def __init__(self, stream: Any) -> None:
        self.rich_proxied_file = stream  # where rich looks for the stream behind this one

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def flush(self) -> None:
        self.rich_proxied_file.flush()

    def isatty(self) -> bool:
        return bool(self.rich_proxied_file.isatty())

    def fileno(self) -> int:
        return int(self.rich_proxied_file.fileno())

    @property
    def closed(self) -> bool:
        return bool(self.rich_proxied_file.closed)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self.rich_proxied_file.encoding)


def check_words(words: Sequence[str]) -> None:
    """Raise InputError for an argument that this locale cannot read and files cannot store."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"'{word}' holds characters that this locale ({sys.getfilesystemencoding()}) cannot"
                " read: run the same command in a UTF-8 locale, such as LC_ALL=C.UTF-8"
            ) from error


def _instead(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace a character by an ASCII spelling, or by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = "".join(
        PLAIN.get(char) or char.encode("ascii", "backslashreplace").decode("ascii")
        for char in error.object[error.start : error.end]
    )
    return shown, error.end
