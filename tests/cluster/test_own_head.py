"""`scaling ray start`: a head and a node whose folders, token and ports are their user's alone."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from neighbours import clean, listening, within_reach
from ports import free_port, listens

ROOT = Path(__file__).parents[2]
SCALING = [sys.executable, "-P", "-m", "jobs.cli"]


@dataclass(frozen=True)
class Machine:
    """A home and a folder for temporary files, which others may enter."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        here = str(self.folder)
        return clean() | {"HOME": here, "TMPDIR": here, "PYTHONPATH": str(ROOT)}

    @property
    def ray(self) -> Path:
        return self.folder / f"scaling-{os.geteuid()}"

    @property
    def token(self) -> Path:
        return self.folder / ".ray" / "auth_token"

    @contextmanager
    def start(self, *words: str, agent: int) -> Iterator[int]:
        """Run `scaling ray start` as the README does, without a token; yield its process."""
        words += (f"--dashboard-agent-listen-port={agent}",)
        joined = self.ray / "ray" / "ray_current_cluster"  # what Ray writes last
        common = ["--block", "--num-cpus=1", "--object-store-memory=80000000"]
        log = self.folder / "said"
        with (
            log.open("wb") as file,
            subprocess.Popen(
                [*SCALING, "ray", "start", *words, *common, "--disable-usage-stats"],
                env=self.env,
                cwd=self.folder,
                umask=0o022,
                stdout=file,
                stderr=file,
            ) as started,
        ):
            try:
                deadline = time.monotonic() + 120
                while not (joined.exists() and listens(agent)):
                    assert started.poll() is None, log.read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                yield started.pid
            finally:
                started.terminate()
                started.wait(60)


@contextmanager
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Machine(Path(name))


@dataclass(frozen=True)
class Started:
    machine: Machine
    address: str
    pid: int


@pytest.fixture(scope="module")
def head() -> Iterator[Started]:
    """Start a head on loopback, with ports that no other test has."""
    port = free_port()
    words = ["--head", f"--port={port}", f"--dashboard-port={free_port()}"]
    words += ["--node-ip-address=127.0.0.1", f"--ray-client-server-port={free_port()}"]
    with machine() as here, here.start(*words, agent=free_port()) as pid:
        yield Started(here, f"127.0.0.1:{port}", pid)


def test_a_head_on_loopback_listens_there_only(head: Started) -> None:
    assert listening(head.pid) == {"127.0.0.1"}


def test_its_token_is_private_from_the_start(head: Started) -> None:
    assert head.machine.token.stat().st_mode & 0o777 == 0o600
    assert len(head.machine.token.read_text()) == 64


@pytest.mark.skipif(os.geteuid() != 0, reason="looks as another user")
def test_another_user_cannot_replace_the_code_of_a_job(head: Started) -> None:
    """Jobs unpack their code below the session's folder, which Ray itself opens to all."""
    session = head.machine.ray / "ray" / "session_latest"
    assert (session / "runtime_resources").stat().st_mode & 0o002
    assert within_reach(head.machine.ray, head.machine.token.parent) == []


@pytest.mark.parametrize("named", [False, True])
def test_a_sweep_finds_it_and_is_let_in(head: Started, named: bool) -> None:
    """By `auto` without any setting; by its address with RAY_AUTH_MODE, as Ray demands."""
    address, mode = (head.address, {"RAY_AUTH_MODE": "token"}) if named else ("auto", {})
    code = (
        "import ray\nfrom jobs.execution.connect import connected\n"
        f"with connected({address!r}) as where: print(where, len(ray.nodes()))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=head.machine.env | mode,
        cwd=head.machine.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"the Ray cluster at {head.address} 1\n", done.stderr


@pytest.mark.slow
def test_a_node_has_a_folder_of_its_own() -> None:
    """It would take the head's, by name, as Ray makes it: open to all."""
    port = free_port()
    words = [f"--port={port}", f"--dashboard-port={free_port()}"]
    words.append(f"--ray-client-server-port={free_port()}")
    with machine() as first, machine() as other, ExitStack() as stack:
        stack.enter_context(first.start("--head", *words, agent=free_port()))
        other.token.parent.mkdir(mode=0o700)
        other.token.write_text(first.token.read_text())
        address = (first.ray / "ray" / "ray_current_cluster").read_text()
        stack.enter_context(other.start(f"--address={address}", agent=free_port()))
        assert (other.ray / "ray" / "session_latest" / "sockets" / "raylet").is_socket()
        assert other.ray.stat().st_mode & 0o777 == 0o700
        assert other.token.stat().st_mode & 0o777 == 0o600
