"""The state of each model of a results folder: finished, failed or missing; unreadable files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class CorruptFile:
    """A file that cannot be believed, and why; of some of its models, or of all.

    `unread`: the disk or the bucket does not give it, so it may be sound.
    """

    path: str
    error: str
    models: tuple[str, ...] = ()
    kind: str = ""
    name: str = ""
    unread: bool = False

    def __str__(self) -> str:
        return f"{self.path} cannot be read ({self.error})"


@dataclass(frozen=True, slots=True)
class Read:
    """All readable rows as one table, the unreadable files, and whether digests confirm all."""

    table: pa.Table
    corrupt: tuple[CorruptFile, ...]
    sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Models by run_id: those with complete results, and the last failure of each failed one."""

    finished: frozenset[str]
    failures: Mapping[str, Mapping[str, Any]]
    corrupt: tuple[CorruptFile, ...]

    def __repr__(self) -> str:
        return (
            f"<state: {len(self.finished):,} models finished, {len(self.failures):,} failures,"
            f" {len(self.corrupt):,} files unreadable>"
        )

    def failed(self, run_id: str, kind: str | None = None) -> bool:
        """Return whether a model failed (with failures of this kind) and was not trained since."""
        failure = self.failures.get(run_id)
        return (
            run_id not in self.finished and failure is not None and kind in (None, failure["kind"])
        )

    def count(self, plan: Mapping[str, Any]) -> dict[str, int]:
        """Return a plan's cells by state: finished (all members), failed (any), missing (rest)."""
        counts = {"cells": len(plan["cells"]), "finished": 0, "failed": 0, "missing": 0}
        for cell in plan["cells"]:
            runs = [member["run_id"] for member in cell["members"]]
            if any(self.failed(run) for run in runs):
                counts["failed"] += 1
            elif all(run in self.finished for run in runs):
                counts["finished"] += 1
            else:
                counts["missing"] += 1
        return counts

    def count_models(self, plan: Mapping[str, Any]) -> dict[str, int]:
        """Return a plan's numbers of models, and of missing cells with some finished models."""
        cells = [[member["run_id"] for member in cell["members"]] for cell in plan["cells"]]
        runs = {run for cell in cells for run in cell}
        begun = [
            any(run in self.finished for run in cell)
            and not all(run in self.finished for run in cell)
            and not any(self.failed(run) for run in cell)
            for cell in cells
        ]
        return {
            "models": len(runs),
            "models_finished": len(runs & self.finished),
            "models_failed": sum(self.failed(run) for run in runs),
            "in_part": sum(begun),
        }


def state_of(
    metrics: pa.Table,
    predictions: pa.Table,
    failures: pa.Table,
    corrupt: tuple[CorruptFile, ...] = (),
) -> State:
    """Return the state of each model in these tables; the last epoch's row marks it as trained."""
    last = pc.equal(metrics["epoch"], metrics["epochs"])
    finished = set(metrics.filter(last)["run_id"].to_pylist())
    return State(
        finished=frozenset(finished & set(predictions["run_id"].to_pylist())),
        failures={row["run_id"]: row for row in failures.to_pylist()},
        corrupt=corrupt,
    )
