"""Figures of comparisons: changes with their intervals, or errors along sizes and costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from analysis.legends import place_legend, row_labels
from analysis.sections.section import Data
from analysis.style import MARKERS, change_axis, draw_change, log_axes, recipe_title, styled
from analysis.uncertainty import half_a_miss


def varied(rows: Sequence[Data]) -> list[str]:
    names = ("model", "n_train", "width", "batch_size", "epochs", "n_macs")
    return [name for name in names if len({row[name] for row in rows}) > 1]


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    axis, rows = data["axis"], data["rows"]
    if axis and len({row[axis] for row in rows}) > 1:
        return {data["study"]: _lines(rows, axis)}
    compared = [row for row in rows if row["change"]]
    return {data["study"]: _forest(compared, data["margin"])} if compared else {}


def _lines(rows: Sequence[Data], axis: str) -> Figure:
    """Error against size or cost, a line for each recipe (and what else tells rows apart)."""
    same_axis = ("width", "model") if axis == "n_macs" else ()
    told = [
        name
        for name in ("model", "width", "batch_size", "n_train")
        if name in varied(rows) and name != axis and name not in same_axis
    ]
    lines: dict[tuple[Any, ...], list[Data]] = {}
    for row in rows:
        lines.setdefault((row["recipe"], *(row[name] for name in told)), []).append(row)
    fig = Figure(figsize=(6.4, 3.9 + 0.1 * len(lines)), layout="constrained")
    ax = fig.subplots()
    colours = sns.color_palette("colorblind", len(lines))
    for i, (key, line) in enumerate(lines.items()):
        line = sorted(line, key=lambda row: float(row[axis]))
        bars = [
            [row["error"] - row["low"] for row in line],
            [row["high"] - row["error"] for row in line],
        ]
        parts = [recipe_title(key[0]), *(_part(*pair) for pair in zip(told, key[1:], strict=True))]
        ax.errorbar(
            [row[axis] * 1.02 ** (i - len(lines) / 2) for row in line],  # apart, so that bars show
            [max(row["error"], half_a_miss(row["n_test"])) for row in line],
            yerr=np.maximum(bars, 0),
            fmt=MARKERS[i % len(MARKERS)] + "-",
            ms=4,
            lw=1.1,
            capsize=2,
            color=colours[i],
            label=", ".join(parts),
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
    told = [name for name in ("n_train", "width", "batch_size") if name in varied(rows)]
    parts = [recipe_title(row["recipe"], row["model"]), *(_part(name, row[name]) for name in told)]
    several = len({other["base"] for other in rows}) > 1
    against = f"\nagainst {recipe_title(row['base'])}" if several else ""
    return ", ".join(parts) + against
