"""A terminal of its own for a piece of Python, and the text that reaches it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_UTF8 = {
    "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}  # fmt: skip


def in_terminal(code: str, *, stdout: Path | None = None, **variables: str) -> str:
    """Return all that `code` writes to a terminal of 200 columns; stdout may go to a file.

    Raises AssertionError where it fails.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with open(stdout or os.devnull, "wb") as file:  # noqa: PTH123  no path
        process = subprocess.Popen(
            [sys.executable, "-c", f"exec({code!a})"],
            env=known | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | variables,
            stdin=theirs,
            stdout=file if stdout else theirs,
            stderr=theirs,
        )
    os.close(theirs)
    body = b""
    try:
        while block := os.read(ours, 1 << 16):
            body += block
    except OSError:  # Linux ends so once nothing holds the other side
        pass
    finally:
        os.close(ours)
    text = body.decode(errors="replace")
    assert process.wait(60) == 0, text
    return text
