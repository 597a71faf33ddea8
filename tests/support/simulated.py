"""Store results with a known truth: the misses of each model are drawn, not trained."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.results.cell_results import CellResult
from scaling.data.selection import DatasetInfo
from scaling.engines.result import Evaluation, Score, Trained
from scaling.store.rows import metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Cell, Study, plan, resolve

Truth = Callable[[Cell], float]  # a cell's error

N_TEST = 3000
_NUMBERS = count()
INFO = {
    name: DatasetInfo(
        name=name, version="1", n_train=60_000, n_test=n_test, n_val=10_000, note=f"{name}'s note"
    )
    for name, n_test in (("mnist", N_TEST), ("usps", 2007))
}


def difficulties(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return factors of mean 1 by which images are missed more or less often than the error."""
    drawn = rng.gamma(0.5, 2.0, n)
    return np.minimum(drawn / drawn.mean(), 8.0)


def misses(
    rng: np.random.Generator, error: float, hardness: np.ndarray, seed_factor: float
) -> np.ndarray:
    """Draw the images that one model misses; in the mean over models, `error` of them."""
    return rng.uniform(size=len(hardness)) < error * hardness * seed_factor


def fill_study(
    out: Path,
    study: Study,
    truth: Truth,
    *,
    seeds: Sequence[int] | None = None,
    seed_sd: float = 0.05,
    only: Callable[[Cell], bool] = lambda _: True,
    leave_out: Callable[[Cell, int], bool] = lambda *_: False,
    trained_by: Callable[[int], tuple[str, str]] = lambda _: ("compiled", "cpu"),
) -> None:
    """Write a study's plan and models of these errors, as a sweep would have left them.

    The study has `only` some of its cells, to be quick; of those in its plan, some are left out.
    """
    study = study.override(seeds=None if seeds is None else tuple(seeds))
    jobs = [job for job in resolve(study, lambda name: (name, INFO[name])) if only(job.cell)]
    store = Store(out)
    store.check_writable()
    store.write_plan(plan(study, jobs, [1.0] * len(jobs), f"scaling sweep {study.name} --out here"))
    hardness = {n: difficulties(np.random.default_rng(n), n) for n in (2007, N_TEST)}
    rng = np.random.default_rng(len(jobs))
    factors = np.exp(rng.normal(0, seed_sd, 1000))
    for job in jobs:
        for member in job.members:
            if leave_out(job.cell, member.seed):
                continue
            error = truth(job.cell)
            wrong = misses(rng, error, hardness[job.cell.n_test], factors[member.seed])
            predicted = rng.integers(0, 10, len(wrong)).astype(np.uint8)
            epochs = job.cell.recipe.epochs
            val = Score(loss=0.1, misses=round(error * 10_000), n=10_000)
            evaluation = Evaluation(
                epoch=epochs,
                examples_seen=epochs * job.cell.n_train,
                train=Score(loss=0.1, misses=int(rng.poisson(40)), n=job.cell.n_train),
                val=val if job.cell.split == "tune" else None,
                test=Score(loss=0.1, misses=int(wrong.sum()), n=job.cell.n_test),
                wall_s=1.5,
                cpu_s=1.5,
            )
            engine, device = trained_by(member.seed)
            trained = Trained(
                member=member,
                engine=engine,
                device=device,
                history=(evaluation,),
                predicted=predicted,
                correct=~wrong,
                weights={},
            )
            rows = metric_rows(study.name, job.cell, trained)
            store.write_model(rows, prediction_row(job.cell, trained))


def measured(
    wrong: Mapping[int, np.ndarray],
    *,
    recipe: str = "1989",
    tricks: Sequence[str] = (),
    test_set_id: str = "simulated",
) -> CellResult:
    """Return a cell with these misses by seed, as a results folder would give it."""
    seeds = sorted(wrong)
    counts = [int(wrong[seed].sum()) for seed in seeds]
    runs = [f"{recipe}-{'-'.join(tricks)}-s{seed}-{next(_NUMBERS)}" for seed in seeds]
    return CellResult(
        study="ablation",
        dataset="mnist",
        source="mnist",
        test_set_id=test_set_id,
        n_test=len(wrong[seeds[0]]),
        split="none",
        n_train=7291,
        width=1.0,
        model="lecun1989",
        recipe=recipe,
        tricks=tuple(tricks),
        epochs=23,
        batch_size=1,
        lr=0.03,
        weight_decay=0.0,
        planned=len(seeds),
        models=pd.DataFrame({"seed": seeds, "run_id": runs, "test_misses": counts}),
        wrong=wrong,
    )
