"""The published figures, copied with their source and their truncated counts corrected."""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from scaling.analyses import PublishedRun

FILE = Path(__file__).parent / "published.csv"


@cache
def published() -> Sequence[PublishedRun]:
    """Every published run, in the order of the write-up."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            PublishedRun(
                row=row["row"],
                what=row["what"],
                dataset=row["dataset"],
                n_train=int(row["n_train"]),
                recipe=row["recipe"],
                epochs=int(row["epochs"]),
                test_misses=int(row["test_misses"]),
                n_test=int(row["n_test"]),
                train_misses=int(row["train_misses"]) if row["train_misses"] else None,
                source=row["source"],
                note=row["note"],
            )
            for row in csv.DictReader(file)
        )


def find_published(row: str) -> PublishedRun:
    return next(run for run in published() if run.row == row)
