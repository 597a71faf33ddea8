"""The records beside the models: sweeps, forecasts and a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.store.contents import Contents

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of a folder."""

    sweeps: Sequence[Row] = ()
    forecasts: Sequence[Row] = ()
    speeds: Sequence[Row] = ()  # of engines; empty without a benchmark


def records_of(contents: Contents) -> Records:
    """Return the records of a folder's contents."""
    found = contents.records
    return Records(
        sweeps=found["runs"],
        forecasts=found["forecasts"],
        speeds=[speed for speeds in found[""] for speed in speeds],
    )
