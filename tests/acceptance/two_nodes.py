"""A real cluster of two nodes on this machine: `ray start` twice, with a token, on loopback.

The head has a core; the other node has a core and a GPU that does not exist (SCALING_FAKE_GPU=1
lets a core compute what is meant for it). Ports are free ones, and each node has its own folder.
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from acceptance.commands import BIN, User
from acceptance.processes import end

LOOPBACK = "127.0.0.1"
# All of 127.0.0.0/8 is loopback on Linux, but Ray replaces 127.0.0.1 by an address that other
# machines reach. Its own ports are open on all addresses all the same: hence the token.
HEAD, SECOND = "127.0.0.2", "127.0.0.3"
START_S = 600  # far more than a crowded machine takes: only what never comes should fail


@dataclass(frozen=True)
class Cluster:
    """Where drivers and those who submit find a cluster."""

    address: str
    url: str


@contextmanager
def two_nodes(user: User) -> Iterator[Cluster]:
    """Start a head and a second node; end both, with whatever they started."""
    user.run(BIN / "ray", "get-auth-token", "--generate").check_returncode()
    user.token.chmod(0o600)
    address, dashboard = f"{HEAD}:{free_port()}", free_port()
    url = f"http://{LOOPBACK}:{dashboard}"
    head = [f"--port={address.rpartition(':')[2]}", f"--dashboard-port={dashboard}"]
    head += [f"--ray-client-server-port={free_port()}", "--disable-usage-stats"]
    with ExitStack() as stack:
        stack.enter_context(node(user, HEAD, "--head", *head))
        until(lambda: answers(url), "the dashboard of the head")
        stack.enter_context(node(user, SECOND, f"--address={address}", "--num-gpus=1"))
        yield Cluster(address, url)


@contextmanager
def node(user: User, host: str, *options: str) -> Iterator[None]:
    """Run `ray start --block` for the time of a block, which begins when its agent answers."""
    name, agent = f"n{host[-1]}", free_port()  # short: paths of sockets hold 107 characters
    words = [f"--node-ip-address={host}", "--num-cpus=1", f"--dashboard-agent-listen-port={agent}"]
    words += [f"--temp-dir={user.folder / name}", "--object-store-memory=80000000"]
    words += ["--min-worker-port=0", "--max-worker-port=0"]  # other Rays here have the usual ones
    path = user.folder / f"{name}.log"
    with path.open("w", encoding="utf-8") as log:
        process = user.start(BIN / "ray", "start", "--block", *words, *options, log=log)
    try:
        until(lambda: answers(f"http://{host}:{agent}"), f"node {host}", process)
        yield
    except BaseException:
        print(path.read_text(encoding="utf-8"))
        raise
    finally:
        end(process)


def until(
    holds: Callable[[], object], what: str, process: "subprocess.Popen[str] | None" = None
) -> None:
    """Wait until something holds; fail if it never does, or if a process ends before."""
    deadline = time.monotonic() + START_S
    while not holds():
        assert process is None or process.poll() is None, f"it has ended, without {what}"
        assert time.monotonic() < deadline, f"not there after {START_S} s: {what}"
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Tell whether a web server answers, be it with a refusal."""
    try:
        with urlopen(f"{url}/api/version", timeout=5):
            return True
    except HTTPError as refusal:
        refusal.close()
        return True
    except (URLError, OSError):
        return False


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server((LOOPBACK, 0)) as free:
        return int(free.getsockname()[1])
