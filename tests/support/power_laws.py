"""Store results of models whose errors follow known power laws."""

from pathlib import Path

import numpy as np

from scaling.analyses import ScalingCurve
from scaling.data.selection import DatasetInfo
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Grid, Study, plan, resolve

INFO = DatasetInfo(name="mnist", version="1", n_train=60_000, n_test=4000, n_val=10, note="a note")
SIZES = (911, 1823, 3646, 7291, 14582)


def fill(
    out: Path,
    *,
    sizes: tuple[int, ...] = SIZES,
    recipes: tuple[str, ...] = ("1989", "dropout_relu"),
    seeds: tuple[int, ...] = (0, 1, 2),
    info: DatasetInfo = INFO,
    leave_out: int = 0,
    fail: bool = False,
) -> Path:
    """Store a results folder of models whose errors follow known power laws."""
    study = Study(
        name="quickstart",
        question="How?",
        grids=(Grid(n_train=sizes, recipe=recipes, epochs=(3,), seeds=seeds),),
        notes=("A note to readers.",),
        analyses=(ScalingCurve(),),
    )
    jobs = resolve(study, lambda _: (info.name, info))
    store = Store(out)
    store.check_writable()
    store.write_plan(plan(study, jobs, [1.0] * len(jobs), "scaling sweep quickstart --out here"))
    rng = np.random.default_rng(0)
    difficulty = rng.permutation((np.arange(info.n_test) + 0.5) / info.n_test)
    pairs = [(job, member) for job in jobs for member in job.members]
    for job, member in pairs[: len(pairs) - leave_out]:
        if fail:
            failure = NumericFailure(member=member, error="weights are not finite after epoch 1")
            store.write_failure(failure_row(job.cell, failure))
            continue
        error = {"1989": 4.0, "dropout_relu": 8.0}[job.cell.recipe.name] * job.cell.n_train**-0.5
        wrong = difficulty < error * np.exp(rng.normal(0, 0.05))
        history = tuple(
            Evaluation(
                epoch=epoch,
                examples_seen=epoch * job.cell.n_train,
                train=Score(loss=0.1, misses=1, n=10),
                val=None,
                test=Score(loss=0.1, misses=int(wrong.sum()) * (4 - epoch), n=info.n_test),
                wall_s=1.0 * epoch,
                cpu_s=1.0 * epoch,
            )
            for epoch in (1, 2, 3)
        )
        trained = Trained(
            member=member,
            engine="reference",
            device="cpu",
            history=history,
            predicted=np.zeros(info.n_test, np.uint8),
            correct=~wrong,
            weights={},
        )
        store.write_model(
            metric_rows("quickstart", job.cell, trained), prediction_row(job.cell, trained)
        )
    return out
