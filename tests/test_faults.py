"""Nodes, workers and drivers that are killed: in the end every model is there once, bit for bit."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from raycluster import Driver, Nodes, assert_same, nodes, stored

MODELS = 12
# About a second each, so that something is being trained whenever something is killed.
STUDY = ["quickstart", "--n-train", "280", "--epochs", "1500", "--seeds", str(MODELS // 2)]


@pytest.fixture(scope="module")
def words(rows_npz: Path) -> list[str]:
    """What follows `scaling sweep`."""
    return [*STUDY, "--dataset", str(rows_npz)]


@pytest.fixture(scope="module")
def three() -> Iterator[Nodes]:
    with nodes(3) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(three: Nodes, words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    driver = Driver(three.address, words, out)
    said = driver.said()
    assert driver.process.returncode == 0, said
    assert len(stored(out)) == MODELS
    return out


def test_a_node_and_a_worker_are_lost_and_nothing_else(
    three: Nodes, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    driver = Driver(three.address, words, tmp_path / "out")
    driver.until_stored(1)
    driver.until(lambda: three.trials(1) and three.trials(2))
    os.kill(three.trials(1)[0], signal.SIGKILL)
    three.remove(2)
    assert len(stored(tmp_path / "out")) < MODELS, "nothing was left to be disturbed"
    said = driver.said()
    assert driver.process.returncode == 0, said
    assert_same(tmp_path / "out", undisturbed)
