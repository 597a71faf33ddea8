"""The trials of a tuning, read from the stored rows, and their objective."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTrial:
    """A suggestion and its result; `errors` is empty where it failed or is missing."""

    number: int
    values: Mapping[str, float]
    status: str  # done, failed or missing
    errors: Mapping[int, float]  # by seed: the share of its validation images that was missed
    misses: int = 0
    n: int = 0  # validation images, over all seeds
    loss: float = math.nan
    objective: float = math.nan
    n_val: int = 1  # validation images of each seed

    @property
    def error(self) -> float:
        """Return the mean validation error over seeds."""
        return float(np.mean(list(self.errors.values())))

    @property
    def se(self) -> float | None:
        """Return the standard error of that mean; None for one seed."""
        values = list(self.errors.values())
        return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None

    def as_row(self) -> dict[str, Any]:
        """Return the trial as JSON; an unknown value is None."""
        known = self.status == "done"
        return {
            "number": self.number,
            "values": dict(self.values),
            "status": self.status,
            "val_error": self.error if known else None,
            "se": self.se if known else None,
            "val_loss": self.loss if known and math.isfinite(self.loss) else None,
        }


def read_trial(
    suggestion: Mapping[str, Any],
    rows: Mapping[Any, Mapping[Any, Any]],
    failed: Callable[[str], bool],
) -> TuningTrial:
    """Return a suggestion's trial from the last rows of its models by run_id."""
    runs, number, values = (suggestion[key] for key in ("run_ids", "number", "values"))
    if any(failed(run) for run in runs):
        return TuningTrial(number=number, values=values, status="failed", errors={})
    if any(run not in rows for run in runs):
        return TuningTrial(number=number, values=values, status="missing", errors={})
    found = [rows[run] for run in runs]
    return TuningTrial(
        number=number,
        values=values,
        status="done",
        errors={int(row["seed"]): row["val_misses"] / row["val_n"] for row in found},
        misses=int(sum(row["val_misses"] for row in found)),
        n=int(sum(row["val_n"] for row in found)),
        loss=_loss(found),
        objective=objective(found),
        n_val=int(found[0]["val_n"]),
    )


def objective(rows: Sequence[Mapping[Any, Any]]) -> float:
    """Return the objective of a tuning from the last rows of a suggestion's models.

    It is the mean validation error, in which the loss breaks ties: it counts for less than half a
    miss. Misses are the subject of a study, and losses of different recipes do not compare.
    """
    loss = _loss(rows)
    half = 0.5 * loss / (1 + loss) if math.isfinite(loss) else 0.5
    misses, n = (sum(int(row[key]) for row in rows) for key in ("val_misses", "val_n"))
    return (misses + half) / n


def _loss(rows: Sequence[Mapping[Any, Any]]) -> float:
    return float(sum(row["val_loss"] for row in rows)) / len(rows)
