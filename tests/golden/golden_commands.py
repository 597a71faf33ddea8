"""Run command lines as a user does, in one child process, and keep what comes of them.

The child finds the function of `scaling` where pyproject.toml declares it, so nothing here names a
module of the project. A command line is text: `scaling ...` or `python -m MODULE ...`.
"""

import contextlib
import io
import json
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The exit status and the text of one command line."""

    command: str
    status: int
    out: str
    err: str


def run(commands: Sequence[str], folder: Path) -> list[Outcome]:
    """Run all of them in this folder, one after the other, in one process."""
    with tempfile.TemporaryDirectory() as spare:
        found = Path(spare) / "outcomes.json"
        done = subprocess.run(
            [sys.executable, __file__, str(found)],
            input=json.dumps(list(commands)),
            cwd=folder,
            env=_environment(folder / "cache"),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if not found.exists():
            raise RuntimeError(f"the child ended with {done.returncode}: {done.stderr[-3000:]}")
        return [Outcome(**each) for each in json.loads(found.read_text(encoding="utf-8"))]


def _environment(cache: Path) -> dict[str, str]:
    """Return the environment without the user's own settings, data sets, network and cluster.

    The cache is a new one: real digits in another would add a section to the report.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SCALING_") and name != "RAY_ADDRESS"
    }
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ours = {"SCALING_OFFLINE": "1", "SCALING_CACHE_DIR": str(cache), "PYTHONPATH": path}
    return kept | ours


def _one(command: str) -> Outcome:
    """Run one command line in this process."""
    program, *words = shlex.split(command)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if program == "scaling":
                _call(words)
            else:
                _run_module(words)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001  # as Python would say it
            traceback.print_exc()
            status = 1
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return Outcome(command=command, status=status, out=texts[0], err=texts[1])


def _call(words: Sequence[str]) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    value = declared["project"]["scripts"]["scaling"]
    entry = EntryPoint(name="scaling", value=value, group="console_scripts").load()
    sys.argv = ["scaling", *words]
    sys.exit(entry())


def _run_module(words: Sequence[str]) -> None:
    flag, module, *rest = words
    assert flag == "-m", f"{words}: expected -m MODULE"
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    written = Path(sys.argv[1])  # a command sets its own arguments
    outcomes = [asdict(_one(command)) for command in json.load(sys.stdin)]
    written.write_text(json.dumps(outcomes), encoding="utf-8")
