"""A small results folder for what seeds found."""

from pathlib import Path

import pytest
from small_runs import fill

from scaling.store import retries
from scaling.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Store four models, each in a file of its own, and two failures."""
    return fill(tmp_path / "out", seeds=(0, 1, 2), n_train=(30,), fail=2)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAITS_S", ())
