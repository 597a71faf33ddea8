"""Find stored models of planned cells by an earlier version of the data, a recipe or a model."""

from collections.abc import Sequence
from typing import Any

from scaling.store.rows import planned_columns
from scaling.store.store import State, Store
from scaling.study import Job

IDENTITY = ("run_id", "cell_id", "test_set_id")  # what a version changes


def count_older(jobs: Sequence[Job], store: Store, state: State) -> int:
    """Return the number of stored models that differ from missing ones in a version only."""
    others = state.finished - {job.cell.run_id(m) for job in jobs for m in job.members}
    if not others:
        return 0
    wanted = [
        planned_columns(job.cell, member)
        for job in jobs
        for member in job.members
        if job.cell.run_id(member) not in state.finished
    ]
    if not wanted:
        return 0
    missing = {_key(row) for row in wanted}
    columns = sorted(wanted[0])
    found = store.read("metrics", columns=columns, names=sorted(others)).table.to_pylist()
    return len({row["run_id"] for row in found if _key(row) in missing})


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        tuple(value) if isinstance(value, list | tuple) else value
        for name, value in sorted(row.items())
        if name not in IDENTITY
    )
