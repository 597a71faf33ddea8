"""Draw comparisons: changes with their intervals, or errors along sizes and costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from analysis.present.legends import place_legend, row_labels
from analysis.present.style import change_axis, draw_change, line_styles, log_axes, styled
from analysis.report.sections.section import Data
from analysis.stats.bootstrap import error_floor

TICKS = ("n_train", "width", "batch_size")  # shown beside a cell's title in a forest plot
ALONG = {
    "n_train": "n_train",
    "n_macs": "width",
}  # by axis, the field in which a line's cells differ
BESIDE = {  # by axis, the fields beside a line's title
    "n_train": ("model", "width", "batch_size"),
    "n_macs": ("batch_size", "n_train"),
}


def varying_fields(rows: Sequence[Data]) -> list[str]:
    """Return the fields in which the rows differ."""
    names = ("model", "n_train", "width", "batch_size", "epochs", "n_macs")
    return [name for name in names if len({row[name] for row in rows}) > 1]


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    axis, rows = data["axis"], data["rows"]
    if axis and len({row[axis] for row in rows}) > 1:
        return {data["id"]: _lines(rows, axis)}
    compared = [row for row in rows if row["change"]]
    return {data["id"]: _forest(compared, data["margin"])} if compared else {}


def _lines(rows: Sequence[Data], axis: str) -> Figure:
    """Draw error against size or cost, a line for cells that differ in nothing else."""
    shown = [name for name in BESIDE[axis] if name in varying_fields(rows)]
    lines: dict[int, list[Data]] = {}
    for row in rows:
        lines.setdefault(row["line"], []).append(row)
    names = [
        ", ".join([first["line_title"], *(_part(name, first[name]) for name in shown)])
        for first, *_ in lines.values()
    ]
    fig = Figure(figsize=(6.4, 3.9 + 0.1 * len(lines)), layout="constrained")
    ax = fig.subplots()
    styles = line_styles(len(lines))
    for i, (label, line) in enumerate(zip(names, lines.values(), strict=True)):
        line = sorted(line, key=lambda row: float(row[axis]))
        bars = [
            [row["error"] - row["low"] for row in line],
            [row["high"] - row["error"] for row in line],
        ]
        ax.errorbar(
            [
                row[axis] * 1.02 ** (i - len(lines) / 2) for row in line
            ],  # shifted, so that no bar hides another
            [max(row["error"], error_floor(row["n_test"])) for row in line],
            yerr=np.maximum(bars, 0),
            ls="-",
            ms=4,
            lw=1.1,
            capsize=2,
            **styles[i],
            label=label,
        )
    log_axes(ax, sorted({row[axis] for row in rows}))
    ax.set_xlabel("training images" if axis == "n_train" else "multiplications per example")
    ax.set_ylabel("test error")
    place_legend(fig, ax)
    return fig


def _part(name: str, value: Any) -> str:
    words = {"n_train": "{:,} images", "width": "width {:g}", "batch_size": "batch {}"}
    return words.get(name, "{}").format(value)


def _forest(rows: Sequence[Data], margin: float) -> Figure:
    fig = Figure(figsize=(6.4, 1.0 + 0.36 * len(rows)), layout="constrained")
    ax = fig.subplots()
    colour = sns.color_palette("colorblind")[0]
    ax.axvspan(-margin, margin, color="#ececec", lw=0, zorder=0)
    ax.axvline(0, color="#666666", lw=0.8, zorder=1)
    for y, row in enumerate(rows):
        effect = row["change"]
        draw_change(ax, effect, -y, "o", color=colour, lw=1.5)
    labels = row_labels(fig, [_forest_label(row, rows) for row in rows])
    ax.set_yticks(range(0, -len(rows), -1), labels)
    ax.set_ylim(-len(rows) + 0.4, 0.6)
    ax.tick_params(axis="y", length=0)
    change_axis(ax)
    ax.set_xlabel("change of the test error")
    ax.grid(visible=True, axis="x")
    return fig


def _forest_label(row: Data, rows: Sequence[Data]) -> str:
    shown = [name for name in TICKS if name in varying_fields(rows)]
    parts = [row["tick"], *(_part(name, row[name]) for name in shown)]
    several = len({other["against"] for other in rows}) > 1
    against = f"against {row['against']}" if several else ""
    return "\n".join(filter(None, [", ".join(parts), against]))
