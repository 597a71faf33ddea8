"""Test every command without a writable install or HOME, and with a writable cache only."""

import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.cli.commands import COMMANDS
from jobs.execution import auth_token, shelter
from scaling.data import strokes
from scaling.data.selection import Dataset

ROOT = Path(__file__).parents[2]
PR_CAPBSET_DROP = 24  # <linux/prctl.h>
OVERRIDING = (1, 2, 3)  # <linux/capability.h>: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
RUN = """
import json, sys
from jobs.cli.main import main
for words in json.loads(sys.argv[1]):
    try:
        status = main(words)
    except SystemExit as left:  # as argparse leaves after --help
        status = left.code
    if status:
        sys.exit(status)
"""


def obey_modes() -> None:
    """Make root, too, write only where modes let it; runs between fork and exec.

    Another user might not be able to read the interpreter, which may lie in root's own home.
    """
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        if any(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) for capability in OVERRIDING):
            raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide a folder with a copy of the install and an empty home, both read-only."""
    if not sys.platform.startswith("linux"):
        pytest.skip("drops capabilities of Linux")
    folder = tmp_path_factory.mktemp("read-only")
    ignored = shutil.ignore_patterns("*.nb?")  # what an older version cached
    for package in ("scaling", "jobs", "analysis"):
        shutil.copytree(ROOT / package, folder / "install" / package, ignore=ignored)
    (folder / "home").mkdir()
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    for path in folders:
        path.chmod(0o555)
    try:
        tried = subprocess.run(["touch", folder / "home" / "x"], preexec_fn=obey_modes, check=False)
    except subprocess.SubprocessError:
        tried = None
    if tried is None or tried.returncode == 0:
        pytest.skip("this user may write everywhere, and may not give that up")
    yield folder
    for path in folders:
        path.chmod(0o755)


def scaling(
    place: Path, cache: Path, *commands: list[str], **env: str
) -> subprocess.CompletedProcess[str]:
    """Run commands from the read-only install, in one process of few variables."""
    return subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(place / "home"),
            "PYTHONPATH": str(place / "install"),
            "SCALING_CACHE_DIR": str(cache),
            "SCALING_OFFLINE": "1",
            **env,
        },
        cwd=place / "home",
        preexec_fn=obey_modes,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_has_help_where_nothing_can_be_written(read_only: Path) -> None:
    helps = [["--help"], *([command.name, "--help"] for command in COMMANDS)]
    done = scaling(read_only, read_only / "home" / "cache", *helps, ["studies"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("usage: scaling") == len(helps)


def test_only_the_cache_can_be_written(read_only: Path, tmp_path: Path) -> None:
    """Digits are drawn, a network is trained and points are fitted, without any warning."""
    cache, points = tmp_path / "cache", tmp_path / "points.csv"
    cache.mkdir()
    points.write_text("n,e\n100,.30\n200,.21\n400,.15\n800,.106\n1600,.075\n")
    train = "train --dataset strokes --n-train 20 --n-test 20 --epochs 1 --engine reference"
    fit = ["fit", "--points", str(points), "--x", "n", "--y", "e"]
    commands = ["data", "strokes"], train.split(), fit
    done = scaling(read_only, cache, *commands, TMPDIR=str(read_only / "home"))
    noise = [line for line in done.stderr.splitlines() if not line.startswith("drawing digits")]
    assert (done.returncode, noise) == (0, [])  # a slow machine shows progress
    assert (cache / "matplotlib").is_dir()
    assert (cache / "tmp").is_dir()
    assert not list(cache.rglob("*.nb?"))  # numba's files, which hold pickles


@pytest.mark.slow
def test_a_sweep_needs_no_home(read_only: Path, tmp_path: Path) -> None:
    cells = "--dataset strokes --n-train 20 --n-test 20 --seeds 1 --epochs 1"
    where = f"--address local --cpus 1 --engine reference --out {tmp_path / 'out'}"
    sweep = f"sweep quickstart {cells} {where}".split()
    done = scaling(read_only, tmp_path / "cache", sweep, ["report", str(tmp_path / "out")])
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells finished, 0 failed" in done.stdout
    assert "Traceback" not in done.stderr
    assert "atplotlib" not in done.stderr


def test_a_cache_that_cannot_be_written_is_one_line(read_only: Path) -> None:
    done = scaling(read_only, read_only / "home" / "cache", ["data", "strokes"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "name a folder of yours in SCALING_CACHE_DIR" in done.stderr


def test_drawn_digits_are_read_without_compiling(strokes_data: Dataset) -> None:  # noqa: ARG001
    """Many workers read what one of them has drawn: the others do not compile the generator."""
    code = (
        "from scaling.data import datasets, strokes\n"
        "datasets.load('strokes', 2000)\n"
        "print(len(strokes._render.signatures))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True, cwd=ROOT).strip() == "0"
    assert strokes._render.signatures or strokes.render(0, 1)  # type: ignore[attr-defined]
    assert len(strokes._render.signatures) == 1  # type: ignore[attr-defined]


def test_a_ray_that_cannot_keep_its_token_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("HOME", os.devnull)  # below a file nothing can be made, not even by root
    auth_token.provide()
    first = os.environ.pop("RAY_AUTH_TOKEN")
    auth_token.provide()
    second = os.environ.pop("RAY_AUTH_TOKEN")
    assert len(first) == len(second) == 64
    assert first != second


def test_the_token_is_private_from_its_first_byte_and_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    modes = []
    opened = os.open

    def noting(path: Any, flags: int, *mode: int) -> int:
        handle = opened(path, flags, *mode)
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        return handle

    monkeypatch.setattr(os, "open", noting)
    auth_token.provide()
    made = auth_token.token_file()
    first = made.read_text()
    auth_token.provide()
    assert made.read_text() == first
    assert len(first) == 64
    assert modes == [0o600]
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.devnull)
    monkeypatch.setenv("MPLCONFIGDIR", "/somewhere")
    shelter.take_shelter()
    assert os.environ["MPLCONFIGDIR"] == "/somewhere"


def test_a_home_that_is_closed_or_unknown_is_none(tmp_path: Path) -> None:
    assert shelter.can_be_made(tmp_path / "a" / "b")
    assert not shelter.can_be_made(Path("~/.config"))  # what is left of it without HOME
    assert not shelter.can_be_made(Path(os.devnull) / "a")
