"""Provide to all tests a cache of their own, no network, and one small Ray."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

os.environ["SCALING_OFFLINE"] = "1"  # before anything is imported; workers inherit it
if "PYTEST_XDIST_WORKER" in os.environ:  # as many threads as cores in each worker are too many
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from scaling.check.cases import noise
from scaling.data import datasets
from scaling.data.selection import Dataset

settings.register_profile("crowded", deadline=None)  # no time is asserted, on any machine
settings.load_profile("crowded")


WITH_RAY = ("cluster", "commands", "ray")  # folders; a sweep joins any Ray of its machine


class OneRay(LoadScopeScheduling):
    """Give each file to one worker of xdist, and all files that may start a Ray to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return "ray" if Path(file).parent.name in WITH_RAY else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneRay:
    return OneRay(config, log)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a cache of the tests' own in place of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALING_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """Provide one Ray of two slots to the tests of a file; a sweep uses the Ray of its process."""
    from jobs.execution import connect  # Ray takes a second to import

    with connect.connected("local", 2):
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real digits; skip tests that need it where it is missing."""
    named = os.environ.get("SCALING_DATA_DIR", "")
    if not (named and Path(named).is_dir()):
        pytest.skip("needs real digits: SCALING_DATA_DIR names no folder")
    return Path(named)


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Simulate a machine without real digits or a network."""
    monkeypatch.delenv("SCALING_DATA_DIR", raising=False)
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "empty-cache"))


@pytest.fixture
def tiny_npz(tmp_path: Path) -> Path:
    """Write a user's own file: 300 + 100 images of 8x8 in which a bright row marks the class."""
    return write_rows(tmp_path / "rows.npz")


@pytest.fixture(scope="session")
def rows_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the same file for tests that share their training data."""
    return write_rows(tmp_path_factory.mktemp("data") / "rows.npz")


def write_rows(path: Path) -> Path:
    rng = np.random.default_rng(0)

    def make(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(0, 8, n)
        x = rng.integers(0, 60, (n, 8, 8))
        x[np.arange(n), y] += 150
        return x.astype(np.uint8), y

    (x_train, y_train), (x_test, y_test) = make(300), make(100)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """A second thread waits for its core in a busy loop: a hundred times slower beside others."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recorded(one_thread: None) -> Iterator[None]:  # noqa: ARG001  asked for first
    """The population engine records its steps after few, so that short trainings replay some."""
    from lockstep import DIRECT

    from scaling.engines.population import tracing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "DIRECT", DIRECT)
        yield


@pytest.fixture(scope="session")
def strokes_data() -> Dataset:
    return datasets.load("strokes", 2000)


@pytest.fixture
def random_data() -> Dataset:
    """Return noise with labels, for tests that do not depend on the images."""
    return noise()


@pytest.fixture(scope="session")
def honest(rows_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a folder of two cells: two models of the compiled engine, three of the population."""
    from honest import POPULATION, TRAIN, run

    out = tmp_path_factory.mktemp("verify") / "out"
    assert run("train", "--dataset", rows_npz, *TRAIN, "--seeds", 2, "--out", out) == 0
    assert run("train", "--dataset", rows_npz, *TRAIN, *POPULATION, "--out", out) == 0
    return out


@pytest.fixture
def copied(honest: Path, tmp_path: Path) -> Path:
    """Copy that folder, to be damaged."""
    return Path(shutil.copytree(honest, tmp_path / "out"))
