"""Try to read files without digests in a process of their own, as damaged ones can end a process.

`python -m scaling.store.older_files` is that process: it takes bodies and answers with errors.
"""

import struct
import subprocess
import sys
from contextlib import suppress
from threading import Lock
from typing import IO, Self

LENGTH = struct.Struct("<Q")  # before each body and each answer
ENDED = "reading it ends the process that reads it"


class Reader:
    """A process that reads Parquet files; it begins with the first file and again after its end.

    Use it in a `with` statement, which ends the process.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()  # files of a bucket are read in parallel

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def error_of(self, body: bytes) -> str | None:
        """Return why a file cannot be read; None if it can."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                _send(process.stdin, body)
                return _receive(process.stdout).decode() or None
            except (BrokenPipeError, EOFError):
                self._end()
                return ENDED

    def _end(self) -> None:
        if self._process is not None:
            with suppress(BrokenPipeError):
                self._process.communicate()
            self._process = None


def _send(stream: IO[bytes], body: bytes) -> None:
    stream.write(LENGTH.pack(len(body)))
    stream.write(body)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    """Return the next message. Raises EOFError where the stream ends."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    return stream.read(*LENGTH.unpack(head))


def answer() -> None:
    """Answer each body on standard input with its error, or with nothing."""
    import pyarrow as pa

    from scaling.store.bounds import read_groups

    try:
        while True:
            body = _receive(sys.stdin.buffer)
            try:
                read_groups(body)
                error = ""
            except (pa.ArrowException, OSError, ValueError, KeyError) as problem:
                error = " ".join(str(problem).split())[:200] or type(problem).__name__
            _send(sys.stdout.buffer, error.encode())
    except EOFError:
        return


if __name__ == "__main__":
    answer()
