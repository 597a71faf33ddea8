"""A local sweep beside another user of its machine, and among somebody's files."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from neighbours import clean, listening, within_reach

ROOT = Path(__file__).parents[2]
SWEEP = """
import json, os, sys
import ray
from jobs.execution.connect import connected
from jobs.execution.folder import exclusive_lock
from scaling.cache import locked
from scaling.store.store import Store

with exclusive_lock(Store("out")), locked("digits") as folder, connected("auto", 1):
    folder.mkdir()
    (folder / "x_train.npy").write_text("0")
    path = ray.get(ray.remote(lambda: __import__("sys").path).remote())
    print(json.dumps({"pid": os.getpid(), "path": path}), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Sweep:
    """A sweep that waits with its Ray; all its files lie in one folder that others may enter."""

    folder: Path
    here: Path
    said: dict[str, Any]


@pytest.fixture(scope="module")
def sweep() -> Iterator[Sweep]:
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        here = folder / "results"
        (here / "out").mkdir(parents=True)
        for module in ("pandas", "pyarrow", "tensorboardX"):  # as a worker imports, not a driver
            (here / f"{module}.py").write_text("open('imported', 'w')")
        env = clean() | {"HOME": name, "TMPDIR": name, "PYTHONPATH": str(ROOT)}
        env |= {"SCALING_CACHE_DIR": str(folder / "cache")}
        (folder / "run.py").write_text(SWEEP)
        with subprocess.Popen(
            [sys.executable, "-P", folder / "run.py"],
            env=env,
            cwd=here,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            umask=0o022,
        ) as process:
            assert process.stdout
            yield Sweep(folder, here, json.loads(process.stdout.readline()))
            process.communicate("")


def test_nothing_listens_beyond_loopback(sweep: Sweep) -> None:
    """docs/cluster.md has the ports that answer on loopback without a token."""
    assert listening(sweep.said["pid"]) == {"127.0.0.1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="looks as another user")
def test_another_user_reads_and_writes_nothing(sweep: Sweep) -> None:
    mine = sweep.folder / f"scaling-{os.geteuid()}"
    assert (mine / "ray" / "session_latest" / "sockets" / "raylet").is_socket()
    assert (sweep.folder / "cache" / "datasets" / "digits" / "x_train.npy").is_file()
    token = sweep.folder / ".ray" / "auth_token"
    assert token.is_file()
    cache = sweep.folder / "cache" / "datasets"
    assert within_reach(mine, cache, token.parent) == []
    assert (sweep.here / "out" / ".lock").stat().st_mode & 0o077 == 0  # it could be held


def test_workers_import_nothing_from_the_working_folder(sweep: Sweep) -> None:
    assert str(sweep.here) not in sweep.said["path"]
    assert not (sweep.here / "imported").exists()
