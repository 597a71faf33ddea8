"""The setup commands of cluster.yaml, run as `ray up` runs them, in an empty home."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from clusters import ROOT, pinned, read
from ray.autoscaler._private.command_runner import _with_interactive

INDEX = "https://pypi.org/simple"


def environment(home: Path) -> dict[str, str]:
    """Return this environment without the variables of the Python, Ray and project of the tests."""
    ours = ("PYTHON", "RAY_", "SCALING_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"HOME": str(home), "TORCH_INDEX": index()}


@cache
def index() -> str:
    """Return pip's index, which may hold a small torch as well as PyTorch's own index."""
    words = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return os.environ.get("PIP_INDEX_URL") or done.stdout.strip() or INDEX


def run(command: str, home: Path) -> str:
    """Run a command as Ray does through ssh; its own session, as `bash -i` wants a terminal."""
    done = subprocess.run(
        ["bash", "-c", " ".join(_with_interactive(command))],
        env=environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a node's home after `ray up` has copied the project and a token to it.

    Skip the test where pip finds no package index, or PIP_NO_INDEX=1 forbids one.
    """
    probe = ["download", "--no-deps", "--no-cache-dir", "--retries=0", "--timeout=15", "-q"]
    words = [sys.executable, "-m", "pip", *probe, "-d", str(tmp_path / "probe"), "packaging"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1]}")
    home = tmp_path / "home"
    for remote, local in read("aws")["file_mounts"].items():
        target = home / remote.removeprefix("~/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if local.startswith("~"):
            target.write_text("0" * 64)
            target.chmod(0o644)  # as `ray get-auth-token --generate` may leave it
        elif (ROOT / local).is_dir():
            shutil.copytree(
                ROOT / local,
                target,
                ignore=shutil.ignore_patterns("__pycache__", "clusters"),
                symlinks=True,
            )
        else:
            shutil.copy(ROOT / local, target)
    (home / ".bashrc").write_text(f'export PATH="{sys.base_prefix}/bin:$PATH"\n')
    return home


@pytest.mark.slow
@pytest.mark.timeout(3600)  # measured: 130 s of CPU, 1,030 s on two crowded cores
def test_a_bare_machine_becomes_a_node(home: Path) -> None:
    config = read("aws")
    commands = config["setup_commands"] + config["head_setup_commands"]
    for command in commands:
        run(command, home)
    assert (home / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    assert run("echo $RAY_AUTH_MODE", home).strip() == "token"
    assert run("command -v ray", home).strip() == str(home / "scaling-venv" / "bin" / "ray")
    assert f"version {pinned('ray')}" in run("ray --version", home)
    assert "quickstart" in run("scaling studies", home)
    assert run("pip check", home).strip() == "No broken requirements found."
    assert run("python -c 'import boto3, torch, jobs; print(jobs.__file__)'", home).startswith(
        str(home / "scaling-venv")
    )
    frozen = re.findall(r"^([\w.-]+)==([^+\s]+)", run("pip freeze", home), flags=re.MULTILINE)
    assert dict(frozen) == {n: pinned(n) for n, _ in frozen}
    for command in commands:  # `ray up` on a cluster that runs: again, without harm
        run(command, home)
    assert (home / ".bashrc").read_text().count("scaling-env") == 1
