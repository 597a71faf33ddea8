"""What Ray costs: the share of a sweep's cores and time in which nothing is trained."""

import tempfile
import time
from dataclasses import dataclass, replace

from jobs import capacity, cluster
from jobs.batches import MOST_S
from jobs.sweep import Options, sweep
from scaling import datasets
from scaling.recipes import find_recipe
from scaling.store import Store
from scaling.study import Grid, Study, resolve

TRIALS_PER_SLOT = 12
EPOCHS = 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Of a sweep whose every trial is one model of about a second.

    overhead: 1 - core seconds of training / (slots x wall), Ray itself being up already;
    running: the same from when the first trial began to train. Units: start_s seconds until then,
    trial_s core seconds of a trial.
    """

    overhead: float
    running: float
    start_s: float
    trial_s: float
    trials: int
    slots: int


def sweep_overhead(us: float, seconds: float = 1.0) -> Overhead:
    """Sweep recipe 1989 at width 1 in trials of this many seconds of training.

    `us` is how many microseconds a step takes here. Everything is stored as in any sweep, in a
    folder that is deleted.
    """
    n_train = max(1, round(seconds * 1e6 / us / EPOCHS))
    datasets.load("strokes", n_train)  # drawn before, once
    with cluster.connected("local"), tempfile.TemporaryDirectory() as folder:
        slots = capacity.slots("cpu").cpu
        grid = Grid(
            dataset=("strokes",),
            n_train=(n_train,),
            recipe=(replace(find_recipe("1989"), epochs=EPOCHS),),
            seeds=tuple(range(TRIALS_PER_SLOT * slots)),
        )
        study = Study(name="bench", question="What does Ray cost?", grids=(grid,))
        store, began = Store(folder), time.time()
        sweep(
            study,
            resolve(study, datasets.find),
            lambda job: MOST_S * len(job.members),  # so that every model is a trial of its own
            store,
            Options(),
            lambda line: None,  # noqa: ARG005
        )
        wall = time.time() - began
        rows = store.read("metrics").table.to_pylist()
    last = [row for row in rows if row["epoch"] == EPOCHS]
    start = min(row["created_at"].timestamp() - row["wall_s"] for row in last) - began
    trained = sum(row["cpu_s"] for row in last)
    return Overhead(
        overhead=1 - trained / (slots * wall),
        running=1 - trained / (slots * (wall - start)),
        start_s=start,
        trial_s=trained / len(last),
        trials=len(last),
        slots=slots,
    )
