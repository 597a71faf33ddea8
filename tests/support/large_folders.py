"""Draw results folders of very many models, in seconds, to measure what reads them.

`python tests/support/large_folders.py MODELS OUT` writes one in compact files.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from scaling.data.selection import DatasetInfo
from scaling.store.compact import compact
from scaling.store.rows import identity_columns
from scaling.store.store import Store
from scaling.study import Cell, Grid, Member, Study, plan, resolve

INFO = DatasetInfo(
    name="mnist", version="2", n_train=60_000, n_test=10_000, n_val=10, note="drawn figures"
)
SIZES = tuple(int(size) for size in np.geomspace(500, 50_000, 50))
CELLS = 400
N_TEST, BATCH = 2007, 50
EPOCHS = (1, 2, 3, 5, 7, 10, 15, 23)
LABELS = np.random.default_rng(0).integers(0, 10, N_TEST).astype(np.uint8)
VERSIONS = [(name, "1.0") for name in ("torch", "numpy", "numba", "engine", "processor")]


def draw_folder(out: Path, models: int) -> int:
    """Write a study of 400 cells as compact files; return its number of models."""
    grid = Grid(
        n_train=SIZES,
        recipe=("1989", "ce", "dropout_relu", "best"),
        width=(1.0, 2.0),
        epochs=(EPOCHS[-1],),
        n_test=(N_TEST,),
        seeds=tuple(range(max(2, models // CELLS))),
    )
    study = Study(name="large", question="How large may a folder be?", grids=(grid,))
    jobs = resolve(study, lambda _: ("mnist", INFO))
    store, rng = Store(out), np.random.default_rng(1)
    store.write_plan(plan(study, jobs, [1.0] * len(jobs), "drawn"))
    for job in jobs:
        for start in range(0, len(job.members), BATCH):
            some = job.members[start : start + BATCH]
            store.write_models([_model(job.cell, each, rng) for each in some], job.cell.cell_id)
    compact(store.contents(), store)
    return sum(len(job.members) for job in jobs)


def _model(cell: Cell, member: Member, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return the rows of a model whose error falls with its training images."""
    columns = identity_columns(cell, member)
    wrong = rng.uniform(size=N_TEST) < 0.02 + 0.3 * cell.n_train**-0.3
    wrong[0] = True
    common = columns | {
        **{"study": "large", "engine": "compiled", "device": "cpu", "git_commit": "0", "host": "h"},
        **{"train_misses": 3, "train_n": 500, "test_misses": int(wrong.sum())},
        **{"wall_s": 1.0, "cpu_s": 1.0, "created_at": datetime.now(UTC)},
        **{"versions": VERSIONS, "schema_version": 1},
    }
    rows = [
        common
        | {"epoch": epoch, "examples_seen": epoch * cell.n_train, "train_flop": 1.0 * epoch}
        | {"train_loss": rng.uniform(), "test_loss": rng.uniform()}
        for epoch in EPOCHS
    ]
    return rows, {
        "run_id": columns["run_id"],
        "test_set_id": cell.test_set_id,
        "n_test": N_TEST,
        "correct": np.packbits(~wrong).tobytes(),
        "predicted": np.where(wrong, (LABELS + 1) % 10, LABELS).astype(np.uint8).tobytes(),
    }


if __name__ == "__main__":
    print(draw_folder(Path(sys.argv[2]), int(sys.argv[1])), "models")
