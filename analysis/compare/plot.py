"""The figure of two results folders: each cell's error in B against that in A."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.compare import FEWER, MORE, Data
from analysis.legends import place_legend
from analysis.style import MARKERS, percent_axis, recipe_title, styled
from analysis.uncertainty import half_a_miss

KEYS = 12  # with more kinds of pairs a legend says nothing


@styled
def comparison_figure(rows: Sequence[Data]) -> Figure:
    """Logarithmic axes of the same range, with intervals; filled where there is a change."""
    fig = Figure(figsize=(6.4, 5.6), layout="constrained")
    ax = fig.subplots()
    kinds = list(dict.fromkeys(map(_kind, rows)))
    colours = dict(zip(kinds, sns.color_palette("colorblind", len(kinds)), strict=True))
    markers = dict(zip(kinds, cycle(MARKERS), strict=False))
    for row in rows:
        a, b = row["a"], row["b"]
        x, y = (max(cell["error"], half_a_miss(cell["n_test"])) for cell in (a, b))
        bars = [np.abs([[cell["low"] - v], [cell["high"] - v]]) for cell, v in ((a, x), (b, y))]
        kind = _kind(row)
        changed = row["verdict"] in (FEWER, MORE)
        ax.errorbar(
            x,
            y,
            xerr=bars[0],
            yerr=bars[1],
            fmt=markers[kind],
            ms=5.5,
            lw=0.8,
            color=colours[kind],
            mfc=colours[kind] if changed else "white",
            alpha=1.0 if changed else 0.7,
            zorder=3 if changed else 2,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ends = [*ax.get_xlim(), *ax.get_ylim()]
    low, high = min(ends), max(ends)
    ax.plot([low, high], [low, high], color="#666666", lw=0.8, zorder=1)
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    percent_axis(ax)
    ax.xaxis.set_major_locator(FixedLocator(ax.yaxis.get_majorticklocs().tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    ax.set_xlabel("test error in A")
    ax.set_ylabel("test error in B")
    ax.set_aspect("equal")
    ax.grid(visible=True)
    if len(kinds) <= KEYS:
        for kind in kinds:
            ax.plot([], [], markers[kind], color=colours[kind], label=kind)
        place_legend(fig, ax)
    return fig


def _kind(row: Data) -> str:
    titles = [recipe_title(cell["recipe"], cell["model"]) for cell in (row["a"], row["b"])]
    return titles[0] if titles[0] == titles[1] else f"{titles[0]} → {titles[1]}"
