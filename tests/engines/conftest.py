"""Fixtures of the engines' tests."""

from pathlib import Path

import pytest
from stored_kernels import TANH, OnDisk, stored_file

from scaling.engines.compiled import kernel_file


@pytest.fixture
def copied_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnDisk:
    """A kernel in a cache of its own."""
    _, key, stored = stored_file(TANH)
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path))
    path = kernel_file.private_folder() / f"{key}.kernel"
    kernel_file.write(path, key, stored)
    return path, key, stored
