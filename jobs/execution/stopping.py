"""End on SIGINT or SIGTERM in one line: what is stored, and how to go on. Imports no Ray.

The first signal interrupts the main thread, as Ctrl-C does. Where that thread hangs, as in a call
of Ray to a process that was stopped, a second thread ends the process: it reads the signals from
a pipe, as handlers of Python run in the main thread only.
"""

import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from scaling.errors import InputError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_S = 20.0  # assumed: Slurm and Kubernetes kill after 30 s
HURRY_S = 3.0  # assumed: after a second signal


@dataclass(slots=True, kw_only=True)
class Stored:
    """How much of a command's work is stored: what this process knows of it, and the exact count.

    `unit`: models, or suggestions.
    """

    out: str
    total: int
    known: int
    count: Callable[[], int]
    unit: str = "models"

    def text(self, exact: bool = True) -> str:
        """Return the count in words; what this process knows where storage does not answer."""
        number = self.known
        if exact:
            with suppress(InputError, OSError):
                number = self.count()
        return f"{number} of {self.total} {self.unit} are stored in {self.out}"


class _Now:
    """The state of this process: the command's work, its folders, and the signal that came."""

    stored: Stored | None = None
    trouble = "Ray does so when our node is lost, or its head was started anew"
    listener: Callable[[], None] | None = None  # hears that one more is stored
    scratch: set[str]
    signum: int = 0
    installed = False
    broken = False  # Ray hangs, so the interpreter would not end by itself


_now = _Now()
_now.scratch = set()


def install() -> None:
    """Take the signals of this process, for the rest of its life; called by its main thread."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    _now.installed = True
    take_signals()
    threading.Thread(target=_watch, args=(ours, theirs), daemon=True).start()


def installed() -> bool:
    """Tell whether this process has our handlers."""
    return _now.installed


def take_signals() -> None:
    """Put our handlers in place, again after Ray put its own; a signal that is ignored stays so."""
    if not _now.installed:
        return
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _interrupt)


def tell(stored: Stored | None) -> None:
    """Set what the last line says of the stored results."""
    _now.stored = stored


def one_more() -> None:
    """Count a model or suggestion that was stored."""
    if _now.stored:
        _now.stored.known += 1
        if _now.listener:
            _now.listener()


def trouble() -> str:
    """Return what may end this process."""
    return _now.trouble


def set_trouble(text: str) -> None:
    """Set what may end this process, should that happen."""
    _now.trouble = text
    if _now.listener:
        _now.listener()


def listen(listener: Callable[[], None] | None) -> None:
    """Call this whenever a model or suggestion was stored."""
    _now.listener = listener


def scratch(folder: str) -> None:
    """Remove this folder if the process must end by force."""
    _now.scratch.add(folder)


def set_broken() -> None:
    """End by force once the command has ended: something of Ray hangs."""
    _now.broken = True


def status() -> int:
    """Return the exit status of a process that was stopped: 130 or 143."""
    return 128 + (_now.signum or signal.SIGINT)


def what_is_stored(exact: bool = False) -> str:
    """Return in words how much is stored: as far as this process knows, or counted."""
    return _now.stored.text(exact) if _now.stored else "stored results stay"


def last_line(exact: bool = True) -> str:
    """Return what is stored and how to go on."""
    return f"stopped: {what_is_stored(exact)}; run the same command again to go on"


def leave(exit_status: int) -> NoReturn:
    """End the process; by force, with all processes that it started, where Ray hangs.

    After a signal, too: a library whose import it interrupted can crash an interpreter that ends.
    """
    if not (_now.broken or _now.signum):
        sys.exit(exit_status)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    end_now(exit_status)


def end_now(exit_status: int, line: str = "") -> NoReturn:
    """End this process and those that it started at once, from any thread."""
    with suppress(OSError):
        os.write(2, f"scaling: {line}\n".encode() if line else b"")
    kill(children())
    for folder in _now.scratch:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(exit_status)


def children() -> set[Any]:
    """Return the processes that this one started, and those that they did."""
    if "ray" not in sys.modules:
        return set()
    import psutil  # Ray brings it, once it is imported

    with suppress(psutil.Error):
        return set(psutil.Process().children(recursive=True))
    return set()


def kill(processes: set[Any]) -> None:
    """Kill processes, also stopped ones; those that have ended are left alone."""
    for process in processes:
        with suppress(Exception):  # psutil's own errors, which need Ray to be imported
            process.kill()


def _interrupt(signum: int, _: FrameType | None) -> None:
    """Interrupt the main thread once; while it cleans up, a second signal only sets a time."""
    first, _now.signum = not _now.signum, _now.signum or signum
    if first:
        raise KeyboardInterrupt


def _watch(pipe: socket.socket, _keep: socket.socket) -> None:
    """End the process by force when it has not ended in time after a signal."""
    deadline, first = float("inf"), 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            end_now(128 + first, last_line(exact=False))
        if not select.select([pipe], [], [], min(left, 3600.0))[0]:
            continue
        for signum in pipe.recv(64):
            if signum in SIGNALS:
                wait = HURRY_S if first else GRACE_S
                first, deadline = first or signum, min(deadline, time.monotonic() + wait)
