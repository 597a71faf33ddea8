"""Models that are identical, bit for bit: every loss, count and prediction."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.results.load import Results

MEASURED = [
    *("train_loss", "train_misses", "train_n", "val_loss", "val_misses", "val_n"),
    *("test_loss", "test_misses", "n_test", "examples_seen"),
]


def identical_models(a: Results, b: Results, runs: Sequence[str]) -> frozenset[str]:
    """Return the identical ones of models that both folders have; times and machines may differ."""
    left, right = (_rows(of.metrics, runs).add_suffix(end) for of, end in ((a, "_a"), (b, "_b")))
    rows = left.join(right, how="outer")
    equal = pd.Series(data=True, index=rows.index)
    for name in MEASURED:
        one, other = rows[f"{name}_a"], rows[f"{name}_b"]
        equal &= (one == other) | (one.isna() & other.isna())
    alike = equal.groupby(level="run_id").all()
    return frozenset(
        run
        for run in runs
        if alike[run]
        and np.array_equal(a.wrong[run], b.wrong[run])
        and np.array_equal(a.predicted[run], b.predicted[run])
    )


def _rows(metrics: pd.DataFrame, runs: Sequence[str]) -> pd.DataFrame:
    found = metrics[metrics["run_id"].isin(runs)]
    return found.set_index(["run_id", "epoch"])[MEASURED]
