"""What is stored of a job: which of its models, and the validation error that a tuning lowers."""

import math

from scaling.store import State, Store, state_of
from scaling.study import Job

COLUMNS = ["run_id", "epoch", "epochs", "val_loss", "val_misses", "val_n"]


def run_ids(job: Job) -> list[str]:
    return [job.cell.run_id(member) for member in job.members]


def stored(job: Job, store: Store) -> State:
    """The state of a job's models; only their files are read."""
    runs = run_ids(job)
    return state_of(
        store.read("metrics", COLUMNS[:3], runs),
        store.read("predictions", ["run_id"], runs),
        store.read("failures", names=runs),
    )


def outcome(job: Job, store: Store) -> float | None:
    """The objective as stored: NaN if a model failed, None if models are missing.

    It is the mean validation error; equal misses are told apart by the loss, which counts for less
    than half a miss. Misses are what the study is about, and losses of recipes do not compare.
    """
    runs, state = run_ids(job), stored(job, store)
    if any(not (run in state.finished or state.failed(run, "numeric")) for run in runs):
        return None
    if any(run not in state.finished for run in runs):
        return math.nan
    rows = store.read("metrics", COLUMNS, runs).table.to_pylist()
    last = [row for row in rows if row["epoch"] == row["epochs"]]
    loss = float(sum(row["val_loss"] for row in last)) / len(last)
    half = 0.5 * loss / (1 + loss) if math.isfinite(loss) else 0.5
    misses, n = (sum(int(row[key]) for row in last) for key in ("val_misses", "val_n"))
    return (misses + half) / n
