"""Define a study of a second: two sizes, two recipes, two seeds of a user's own digits."""

from dataclasses import replace
from pathlib import Path

from scaling.data import datasets
from scaling.study import Grid, Job, Study, resolve


def tiny(path: Path, **changes: object) -> tuple[Study, tuple[Job, ...]]:
    grid = Grid(
        dataset=(str(path),), n_train=(30, 60), recipe=("1989", "ce"), epochs=(3,), seeds=(0, 1)
    )
    study = Study(name="tiny", question="?", grids=(replace(grid, **changes),))  # type: ignore[arg-type]
    return study, resolve(study, datasets.find)
