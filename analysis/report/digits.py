"""Find and draw the test digits that the best recipe misses, with their labels and predictions.

Results hold no images: the caller passes a function that returns those of a test set.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.present.labels import labels
from analysis.present.style import styled
from analysis.results.cell_results import CellResult, Cells
from analysis.results.load import Results

# By source, test_set_id and n_test: images (n_test, 16, 16) and labels (n_test,), or None.
TestImages = Callable[[str, str, int], tuple[NDArray[Any], NDArray[Any]] | None]
SHOWN = 40
ACROSS = 10


def hardest(
    results: Results, cells: Cells, test_images: TestImages
) -> tuple[dict[str, Any], NDArray[Any]] | None:
    """Return the digits that at least half of the best cell's models miss, and their images.

    The best cell is the finished one with the lowest mean error on the largest test set. Returns
    None without such a cell, and without its images.
    """
    best = _best(cells)
    if best is None:
        return None
    found = test_images(best.source, best.test_set_id, best.n_test)
    if found is None:
        return None
    x, y = found
    missed = np.sum(list(best.wrong.values()), axis=0)
    order = np.lexsort((np.arange(len(missed)), -missed))
    shown = [int(i) for i in order[:SHOWN] if 2 * missed[i] >= best.n_seeds]
    predicted = np.stack([results.predicted[run] for run in best.models["run_id"]])
    data = {
        "recipe": best.recipe,
        "title": _title(best, cells),
        "dataset": best.dataset,
        "n_train": best.n_train,
        "width": best.width,
        "epochs": best.epochs,
        "seeds": best.n_seeds,
        "n_test": best.n_test,
        "mean": best.error * best.n_test,
        "by_half": int(np.sum(2 * missed >= best.n_seeds)),
        "by_all": int(np.sum(missed == best.n_seeds)),
        "digits": [
            {
                "index": i,
                "label": int(y[i]),
                "prediction": _favourite(predicted[:, i], int(y[i])),
                "missed_by": int(missed[i]),
            }
            for i in shown
        ],
    }
    return data, x[shown]


def _title(best: CellResult, cells: Cells) -> str:
    """Return the best cell's title among all cells of its size."""
    alike = [cell for cell in _trained(cells) if cell.n_train == best.n_train]
    return labels([cell.facts for cell in alike], shown=("n_test", "test_set_id"))[
        next(i for i, cell in enumerate(alike) if cell is best)
    ]


def _trained(cells: Cells) -> list[CellResult]:
    return [cell for name in cells.studies for cell in cells.find(name) if cell.split == "none"]


def _best(cells: Cells) -> CellResult | None:
    trained = _trained(cells)
    datasets = [cell.dataset for cell in trained]
    main = "mnist" if "mnist" in datasets else max(datasets, key=datasets.count, default="")
    mine = [cell for cell in trained if cell.dataset == main]
    largest = max((cell.n_test for cell in mine), default=0)
    finished = [cell for cell in mine if cell.n_test == largest and cell.n_seeds >= cell.planned]
    return min(finished or mine, key=lambda cell: cell.error, default=None)


def _favourite(predicted: NDArray[np.uint8], label: int) -> int:
    """Return the wrong answer that most models give."""
    counts = np.bincount(predicted[predicted != label], minlength=10)
    return int(counts.argmax())


@styled
def draw(data: dict[str, Any], images: NDArray[Any]) -> Figure:
    """Return a figure of the digits in rows, each below its label and its commonest prediction."""
    down = -(-len(images) // ACROSS)
    tile, label = images.shape[1] + 4, 7  # pixels: a digit with its margin, and room for words
    sheet = np.full((down * (tile + label), ACROSS * tile), images.min(), float)
    fig = Figure(figsize=(6.4, 6.4 * sheet.shape[0] / sheet.shape[1]), layout="constrained")
    ax = fig.subplots()
    for number, (digit, image) in enumerate(zip(data["digits"], images, strict=True)):
        top, left = (number // ACROSS) * (tile + label) + label, (number % ACROSS) * tile + 2
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
        words = f"{digit['label']} → {digit['prediction']}"
        ax.text(left + tile / 2 - 2, top - 1.5, words, ha="center", va="bottom", fontsize=8)
    ax.imshow(sheet, cmap="gray_r", interpolation="nearest")
    ax.set_axis_off()
    return fig
