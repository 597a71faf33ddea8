"""Run the project's commands as a user does, in folders of their own."""

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
STRANGERS = ("AWS_", "MPL", "NUMBA_", "RAY_", "SCALING_", "XDG_")  # of whoever runs the tests


@dataclass(frozen=True)
class User:
    """Somebody with a short folder for all that his commands write, and nothing of anybody else."""

    folder: Path

    @property
    def token(self) -> Path:
        """The file where Ray keeps the user's token."""
        return self.folder / "home/.ray/auth_token"

    def env(self, **changes: str) -> dict[str, str]:
        """Return the user's environment: no network, no real digits, a token for every Ray."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(STRANGERS)}
        ours = {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": f"{BIN}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": str(ROOT),  # this tree, whatever is installed
            "RAY_AUTH_MODE": "token",
            "RAY_TMPDIR": str(self.folder / "ray"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # with Ray's own 15, workers starve on a crowded machine
            "SCALING_CACHE_DIR": str(self.folder / "cache"),
            "SCALING_OFFLINE": "1",
        }
        return kept | ours | changes

    def start(self, *words: object, log: IO[str], **env: str) -> "subprocess.Popen[str]":
        """Start a command whose output goes to a file."""
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=self.folder,
            env=self.env(**env),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: object, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.folder,
            env=self.env(**env),
            capture_output=True,
            text=True,
        )

    def scaling(self, *words: object, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run `scaling` with some words, to its end."""
        return self.run(*scaling(), *words, **env)

    def told(self, *words: object) -> dict[str, Any]:
        """Return what `scaling` tells with --json; fail unless it exits with 0."""
        done = self.scaling(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@cache
def scaling() -> tuple[str, ...]:
    """Return the command `scaling` of this tree, as pyproject.toml defines it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, function = project["project"]["scripts"]["scaling"].split(":")
    return (sys.executable, "-c", f"from {module} import {function}; {function}()")
