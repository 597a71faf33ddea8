"""Look at a Ray as another user of its machine does."""

import os
import subprocess
from pathlib import Path

import ray  # noqa: F401  brings psutil

NOBODY = 65534


def within_reach(*places: Path) -> list[str]:
    """Return what nobody may read, enter or write of these places and all below, by `find`."""
    asked = ["find", *map(str, places), "(", "-readable", "-o", "-writable", ")", "-print"]
    done = subprocess.run(
        asked,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Permission denied" in done.stderr, done.stderr  # else the places do not exist
    return done.stdout.splitlines()


def listening(pid: int) -> set[str]:
    """Return the addresses at which a process and all below it listen."""
    import psutil

    root, found = psutil.Process(pid), set()
    for process in (root, *root.children(recursive=True)):
        try:
            sockets = process.net_connections("inet")
        except psutil.Error:  # it has ended
            continue
        found |= {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}
    return {ip.removeprefix("::ffff:") for ip in found}


def clean() -> dict[str, str]:
    """Return the environment without what Ray and this project read."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SCALING_"))}
