"""End processes by their numbers, and nobody else's: others run Ray on this machine too."""

import os
import signal
import subprocess
from contextlib import suppress

TERM_S = 60  # `ray start --block` ends its own processes one by one


def end(process: "subprocess.Popen[str]") -> None:
    """End a process and everything that it started, gently first."""
    below = descendants(process.pid)
    process.terminate()
    try:
        process.wait(TERM_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    alive = started()
    for pid in below:
        if pid in alive and alive[pid][1:] == below[pid][1:]:  # its parent may be another now
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> dict[int, tuple[int, str]]:
    """Return the processes below one, with their parent and when each was started."""
    every = started()
    found: dict[int, tuple[int, str]] = {}
    last = {pid}
    while last:
        last = {child for child, (parent, _) in every.items() if parent in last}
        found |= {child: every[child] for child in last}
    return found


def started() -> dict[int, tuple[int, str]]:
    """Return all processes, with their parent and when each was started."""
    listed = _ps("pid=,ppid=,lstart=")
    rows = (line.split(maxsplit=2) for line in listed)
    return {int(pid): (int(parent), when) for pid, parent, when in rows}


def naming(text: str) -> list[str]:
    """Return the command lines of this machine's processes that name something."""
    return [line for line in _ps("pid=,args=") if text in line]


def _ps(columns: str) -> list[str]:
    command = ["ps", "-A", "-ww", "-o", columns]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
