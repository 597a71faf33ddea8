"""The figure of two results folders: each cell's error in B against that in A."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.compare import FEWER, MORE, Data
from analysis.present.legends import place_legend
from analysis.present.style import line_styles, percent_axis, styled
from analysis.stats.bootstrap import error_floor

KEYS = 12  # with more kinds of pairs a legend says nothing


@styled
def comparison_figure(rows: Sequence[Data]) -> Figure:
    """Logarithmic axes of the same range, with intervals; filled where there is a change."""
    fig = Figure(figsize=(6.4, 5.6), layout="constrained")
    ax = fig.subplots()
    kinds = list(dict.fromkeys(_kind(row) for row in rows))
    styles = dict(zip(kinds, line_styles(len(kinds)), strict=True))
    for row in rows:
        a, b = row["a"], row["b"]
        x, y = (max(cell["error"], error_floor(cell["n_test"])) for cell in (a, b))
        bars = [np.abs([[cell["low"] - v], [cell["high"] - v]]) for cell, v in ((a, x), (b, y))]
        style = styles[_kind(row)]
        changed = row["verdict"] in (FEWER, MORE)
        ax.errorbar(
            x,
            y,
            xerr=bars[0],
            yerr=bars[1],
            ls="",
            marker=style["marker"],
            ms=5.5,
            elinewidth=0.8,
            color=style["color"],
            mfc=style["color"] if changed else "white",
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
            ax.plot([], [], ls="", label=kind, **styles[kind])
        place_legend(fig, ax)
    return fig


def _kind(row: Data) -> str:
    titles = [row[side]["title"] for side in "ab"]
    return titles[0] if titles[0] == titles[1] else " → ".join(titles)
