"""Models that are trained here miss what the same models missed when the figures were stored."""

from pathlib import Path

import pytest

from acceptance.figures import WRITE, read, write
from acceptance.stored import last_rows
from acceptance.trained import figures, processor, series, too_far

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("study", ["both", "small"])
def test_misses_are_the_stored_ones(study: str, request: pytest.FixtureRequest) -> None:
    """On the same kind of processor every bit is promised, on another one only nearness."""
    out: Path = request.getfixturevalue(f"plain_{study}")
    rows = last_rows(out)
    assert set(rows["engine"]) == {"compiled"}
    if WRITE:
        write(f"trained_{study}", figures(rows))
    stored = read(f"trained_{study}")
    misses = series(stored, "misses")
    assert not too_far(misses, rows["test_misses"])
    if processor(rows) == stored["processor"]:
        assert rows["test_misses"].to_dict() == misses.to_dict()
        assert rows["test_loss"].to_dict() == pytest.approx(series(stored, "losses").to_dict())
