"""One user, one cluster and one training of each study for all tests of the acceptance."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.commands import User
from acceptance.processes import naming
from acceptance.two_nodes import Cluster, two_nodes, until
from acceptance.uses import Submitted, Swept, submit, sweep_here, sweep_killed


@pytest.fixture(scope="session")
def user() -> Iterator[User]:
    """Somebody new, of whom nothing stays: no process and no file."""
    folder = Path(tempfile.mkdtemp(prefix="acc"))  # short: Ray makes sockets in it
    for name in ("home", "tmp", "ray"):
        (folder / name).mkdir(mode=0o700)
    try:
        yield User(folder)
        until(lambda: not naming(str(folder)), "the end of all processes")
    finally:
        until(lambda: gone(folder), f"the end of {folder}")


def gone(folder: Path) -> bool:
    """Remove a folder, in which processes that end may still write; tell whether it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


@pytest.fixture(scope="session")
def cluster(user: User) -> Iterator[Cluster]:
    with two_nodes(user) as started:
        yield started


@pytest.fixture(scope="session")
def swept(user: User, cluster: Cluster) -> Swept:
    """The study `both` on two nodes, killed in the middle and repeated twice."""
    return sweep_killed(user, cluster)


@pytest.fixture(scope="session")
def submitted(user: User, cluster: Cluster) -> Submitted:
    """The study `small`, submitted to the head twice."""
    return submit(user, cluster)


@pytest.fixture(scope="session")
def plain_both(user: User) -> Path:
    """The study `both` by an undisturbed local sweep on cores."""
    return sweep_here(user, "both")


@pytest.fixture(scope="session")
def plain_small(user: User) -> Path:
    """The study `small` by an undisturbed local sweep."""
    return sweep_here(user, "small")
