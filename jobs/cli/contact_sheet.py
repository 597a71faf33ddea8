"""Draw contact sheets of the images that networks are trained on."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from scaling.data import datasets
from scaling.data.selection import Array, to_unit_range, training_order
from scaling.errors import InputError

ROWS = 12  # images of each class
SCANNED = 2000  # training images from which they are taken


def draw(sources: Sequence[str], path: str) -> list[str]:
    """Draw a sheet of each data set, digits in columns; return the paths.

    Several go to FILE-NAME.png.

    Raises InputError where a file cannot be written.
    """
    written = []
    for source in sources:
        name = datasets.describe(source).name
        target = Path(path)
        if len(sources) > 1:
            target = target.with_name(f"{target.stem}-{Path(name).stem}{target.suffix}")
        try:
            _sheet(source, name).savefig(target, dpi=120)
        except (OSError, ValueError) as error:
            raise InputError(
                f"--sheet {target} cannot be written ({error}): expected a file such as digits.png"
            ) from error
        written.append(str(target))
    return written


def _sheet(source: str, name: str) -> Figure:
    info = datasets.describe(source)
    n = min(SCANNED, info.n_train)
    data, some = datasets.load(source, n), training_order(info, n, seed=0)
    x, y = to_unit_range(data.x_train[some]), data.y_train[some]
    tiles = np.concatenate([_column(x[y == digit]) for digit in range(10)], axis=1)
    with mpl.rc_context({"font.size": 10}):
        fig = Figure(figsize=(5.4, 6.7), layout="constrained")
        ax = fig.subplots()
        ax.imshow(tiles, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
        ax.set_title(f"{name}: training images as the network sees them, 16×16", loc="left")
        ax.set_axis_off()
    return fig


def _column(x: Array) -> Array:
    """Return the first images of a class below each other, a line of background between them."""
    column = np.full((ROWS * 18, 18), -1.0)
    for row, image in enumerate(x[:ROWS]):
        column[row * 18 + 1 : row * 18 + 17, 1:17] = image
    return column
