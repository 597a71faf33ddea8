"""Look at every figure that a test of the report draws."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_raw_formulas(tmp_path: Path) -> Iterator[None]:
    """Fail where a figure shows a formula's source: names are no formulas, so none is drawn."""
    yield
    raw = [
        path.name for path in tmp_path.rglob("*.svg") if "mathdefault" in path.read_text("utf-8")
    ]
    assert not raw
