"""Draw the figure of the ladder: published runs over the measured distributions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from analysis.present.legends import row_labels
from analysis.present.style import styled
from analysis.report.sections.section import Data


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    rows = [row for row in data["rows"] if row["misses"]]
    if not rows:
        return {}
    fig = Figure(figsize=(6.4, 0.9 + 0.5 * len(rows)), layout="constrained")
    ax = fig.subplots()
    sizes = sorted({row["n_train"] for row in rows})
    colours = dict(zip(sizes, sns.color_palette("colorblind", len(sizes)), strict=True))
    drawn = {row["n_drawn"] for row in rows}
    for y, row in enumerate(rows):  # counts of different numbers of images share no axis
        unit = 1.0 if len(drawn) == 1 else 100 / row["n_drawn"]
        _strip(ax, -y, row, colours[row["n_train"]], unit)
    ax.set_yticks(range(0, -len(rows), -1), row_labels(fig, [_label(row) for row in rows]))
    ax.set_ylim(-len(rows) + 0.4, 0.6)
    ax.set_xlim(left=0)
    several = "test error, % of as many images as the published run had"
    ax.set_xlabel(f"test misses of {rows[0]['n_drawn']:,}" if len(drawn) == 1 else several)
    ax.grid(visible=True, axis="x")
    ax.tick_params(axis="y", length=0)
    return {data["id"]: fig}


def _strip(ax: Any, y: float, row: Data, colour: Any, unit: float) -> None:
    scale = unit * row["n_drawn"] / row["n_test"]
    if row["one_run"]:
        low, high = (unit * end for end in row["one_run"])
        ax.barh(y, high - low, left=low, height=0.62, color=colour, alpha=0.2, lw=0)
    spread = 0.2 * np.random.default_rng(0).uniform(-1, 1, len(row["misses"]))
    ax.plot(np.array(row["misses"]) * scale, y + spread, ".", color=colour, ms=4, alpha=0.8)
    low, high = (unit * end for end in row["interval_drawn"])
    ax.plot([low, high], [y, y], color="black", lw=1.6, zorder=4)
    ax.plot([unit * row["mean_drawn"]] * 2, [y - 0.2, y + 0.2], color="black", lw=1.6, zorder=4)
    if row["published"] is not None:
        ax.plot(
            unit * row["published"], y, "D", color="white", mec="black", ms=6, mew=1.3, zorder=5
        )


def _label(row: Data) -> str:
    words = str(row["what"])
    return words.replace(" with ", "\nwith ") if len(words) > 22 else words
