"""Say what is stored after Ray, or another, has ended this process without asking."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jobs.execution import stopping

# Prints the last line that it was sent, once the sender is gone; an empty one is a goodbye.
CODE = """import sys
last = [*sys.stdin.buffer][-1:]
sys.stderr.buffer.write(b"".join(last).lstrip())
"""


@contextmanager
def last_words() -> Iterator[None]:
    """Have a process of its own print the last line, should this one end within the block.

    Ray ends a driver whose own node is lost, from C++ and without a word of what is stored.
    """
    other = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CODE], stdin=subprocess.PIPE, start_new_session=True
    )
    assert other.stdin
    pipe = other.stdin

    def send(line: str) -> None:
        with suppress(OSError, ValueError):  # it was killed, or is at its end
            pipe.write(f"{line}\n".encode())
            pipe.flush()

    def tell() -> None:
        send(
            f"scaling: this process was ended from outside ({stopping.trouble()}):"
            f" {stopping.what_is_stored()}; run the same command again to go on"
        )

    tell()
    stopping.listen(tell)
    try:
        yield
    finally:
        stopping.listen(None)
        send("")
        with suppress(OSError):
            pipe.close()
        other.wait()
