"""The cells of a recipe as one surface: error over n_train, parameters and epochs."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from analysis.results.cell_results import LEVEL, CellResult, Cells
from analysis.results.identity import USUAL, grouped
from analysis.stats.bootstrap import error_floor, is_thin, limit_of_none

KEY = ("n_train", "n_params", "epochs", "split")
OVER = ("n_train", "width", "epochs", "split")


def surfaces(cells: Cells, test_set_id: str) -> list[list[CellResult]]:
    """The cells on one test set that differ in nothing but what a surface is over."""
    found = [cell for cell in find_all(cells) if cell.test_set_id == test_set_id]
    return grouped(sorted(found, key=lambda cell: cell.recipe), OVER)


def surface_cells(cells: Iterable[CellResult]) -> pd.DataFrame:
    """A row for each cell of a surface, of several studies' the one of most seeds.

    `se` has the noise of test images and seeds; with one seed that of the images alone. `limit` is
    what the test set allows where hardly an image was missed, else 0.
    """
    best: dict[tuple[object, ...], CellResult] = {}
    for cell in cells:
        key = tuple(getattr(cell, name) for name in KEY)
        if key not in best or cell.n_seeds > best[key].n_seeds:
            best[key] = cell
    return pd.DataFrame([_row(cell) for cell in best.values()])


def find_all(cells: Cells) -> Sequence[CellResult]:
    """The network of 1989 trained by single examples, as in all of the ladder, in every study."""
    return [
        cell for study in cells.studies for cell in cells.find(study, model=USUAL, batch_size=1)
    ]


def largest_test_set(cells: Cells) -> str | None:
    """The test set of most cells; None without any."""
    found = [cell.test_set_id for cell in find_all(cells)]
    return max(dict.fromkeys(found), key=found.count, default=None)


def _row(cell: CellResult) -> dict[str, object]:
    summary = cell.summary
    return {
        **{name: getattr(cell, name) for name in KEY},
        "width": cell.width,
        "train_flop": float(cell.models["train_flop"].iloc[0]),
        "error": max(summary.error, error_floor(cell.n_test)),
        "se": float(np.hypot(summary.se_test, summary.se_seed or 0.0)),
        "limit": limit_of_none(cell.n_test, LEVEL) if is_thin(cell.error, cell.n_test) else 0.0,
        "seeds": cell.n_seeds,
    }
