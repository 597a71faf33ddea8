"""Store a few drawn models that agree on the labels, and publish them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import publish
from jobs.publish import main
from scaling.data.selection import DatasetInfo
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.store.rows import failure_row, metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Grid, Study, plan, resolve

INFO = DatasetInfo(name="mnist", version="1", n_train=60_000, n_test=101, n_val=10, note="a note")
LABELS = np.random.default_rng(7).integers(0, 10, INFO.n_test).astype(np.uint8)


def fill(
    out: Path | str,
    *,
    name: str = "small",
    seeds: tuple[int, ...] = (0, 1),
    n_train: tuple[int, ...] = (30, 60),
    fail: int | None = None,
) -> Store:
    """Store a results folder of drawn models, three epochs each; the seed `fail` fails."""
    grid = Grid(n_train=n_train, recipe=("1989", "ce"), epochs=(5,), seeds=seeds, split="tune")
    study = Study(name=name, question="?", grids=(grid,))
    jobs = resolve(study, lambda _: ("mnist", INFO))
    store, rng = Store(out), np.random.default_rng(len(name))
    store.write_plan(plan(study, jobs, [1.0] * len(jobs), "scaling sweep small --out here"))
    for job, member in [(each, member) for each in jobs for member in each.members]:
        if member.seed == fail:
            failure = NumericFailure(member=member, error="weights are not finite after epoch 1")
            store.write_failure(failure_row(job.cell, failure))
            continue
        wrong = rng.uniform(size=INFO.n_test) < 0.1
        wrong[0] = True  # an image that no model gets right
        predicted = np.where(wrong, (LABELS + rng.integers(1, 10, len(wrong))) % 10, LABELS)
        score = Score(loss=rng.uniform(), misses=int(wrong.sum()), n=INFO.n_test)
        history = tuple(
            Evaluation(
                epoch=epoch,
                examples_seen=epoch * job.cell.n_train,
                train=replace(score, loss=rng.uniform(), n=30),
                val=replace(score, loss=rng.uniform(), n=10),
                test=score,
                wall_s=rng.uniform(),
                cpu_s=rng.uniform(),
            )
            for epoch in (1, 2, 5)
        )
        trained = Trained(
            member=member,
            engine="compiled",
            device="cpu",
            history=history,
            predicted=predicted.astype(np.uint8),
            correct=~wrong,
            weights={},
        )
        store.write_model(metric_rows(name, job.cell, trained), prediction_row(job.cell, trained))
    return store


def published(tmp_path: Path, **changes: Any) -> tuple[Store, Path]:
    """Publish the same folder, without the retraining that drawn models cannot pass."""
    store, into = fill(tmp_path / "out", **changes), tmp_path / "published"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "VERIFIED", 0)
        assert main([str(tmp_path / "out"), "--into", str(into)]) == 0
    return store, into
