"""How long to train at each size: the best number of epochs, by validation images only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.effects.paired import Effect, Resampler
from analysis.results.cell_results import CellResult
from analysis.results.identity import grouped


@dataclass(frozen=True, slots=True, kw_only=True)
class BestEpochs:
    """The cells of one recipe and size by epochs, and the one with fewest validation misses."""

    cells: tuple[CellResult, ...]
    best: CellResult
    fixed: CellResult  # the one nearest to the published number of epochs
    at_edge: bool  # the best is the shortest or longest tried: a better one may lie outside
    change: Effect | None  # from fixed to best, on the test images

    @property
    def val_errors(self) -> list[float]:
        return [_val_error(cell) for cell in self.cells]


def best_epochs(
    cells: Sequence[CellResult], resampler: Resampler, published: dict[str, int]
) -> list[BestEpochs]:
    """A row for all that was trained for several lengths and is otherwise the same.

    `published` is the number of epochs of each recipe that the best one is compared with.
    """
    groups = grouped(cells, ("epochs",))
    return [
        _best(sorted(group, key=lambda cell: cell.epochs), resampler, published)
        for group in groups
        if len(group) > 1
    ]


def _best(
    cells: Sequence[CellResult], resampler: Resampler, published: dict[str, int]
) -> BestEpochs:
    best = min(cells, key=_val_error)
    wanted = published.get(best.recipe, best.epochs)
    fixed = min(cells, key=lambda cell: abs(np.log(cell.epochs / wanted)))
    return BestEpochs(
        cells=tuple(cells),
        best=best,
        fixed=fixed,
        at_edge=best in (cells[0], cells[-1]),
        change=None if best is fixed else resampler.change(fixed, best),
    )


def _val_error(cell: CellResult) -> float:
    return float((cell.models["val_misses"] / cell.models["val_n"]).mean())
