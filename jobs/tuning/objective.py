"""The stored models of a job, and the validation error that a tuning lowers."""

import math
from typing import Any

from scaling.store.store import State, Store, state_of
from scaling.study import Job

COLUMNS = ["run_id", "epoch", "epochs", "seed", "val_loss", "val_misses", "val_n"]


def run_ids(job: Job) -> list[str]:
    return [job.cell.run_id(member) for member in job.members]


def job_state(job: Job, store: Store) -> State:
    """Return the state of a job's models; only their files are read."""
    cell_of = dict.fromkeys(run_ids(job), job.cell.cell_id)
    return state_of(
        store.read_models("metrics", cell_of, COLUMNS[:3]),
        store.read_models("predictions", cell_of, ["run_id"]),
        store.read_models("failures", cell_of),
    )


def last_rows(job: Job, store: Store) -> dict[str, dict[str, Any]]:
    """Return the last row of each stored model of a job, by run_id."""
    cell_of = dict.fromkeys(run_ids(job), job.cell.cell_id)
    rows = store.read_models("metrics", cell_of, COLUMNS).to_pylist()
    return {row["run_id"]: row for row in rows if row["epoch"] == row["epochs"]}


def stored_objective(job: Job, store: Store) -> float | None:
    """Return the objective of the stored rows: NaN if a model failed, None if one is missing."""
    from analysis.results.tuning_trials import objective  # pandas: the driver's alone

    runs, state = run_ids(job), job_state(job, store)
    if any(not (run in state.finished or state.failed(run, "numeric")) for run in runs):
        return None
    if any(run not in state.finished for run in runs):
        return math.nan
    return objective(list(last_rows(job, store).values()))
