"""Report the compute-optimal images, width and epochs for a budget of training FLOP."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.laws.frontier import Best, frontier
from analysis.present.formatting import percent, scientific, yes
from analysis.present.labels import labels, shared_facts
from analysis.present.legends import place_legend
from analysis.present.style import MARKERS, percent_axis, power_axis, styled
from analysis.report.sections.section import Data, Picture, Section, Table
from analysis.results.cell_results import LEVEL, Cells
from analysis.results.surface import group_surfaces, largest_test_set, surface_cells
from scaling.errors import InputError

FRONTIER = "frontier"
GREY = "#666666"
DASHES = ("-", "--", "-.", ":")
LINE = 30  # budgets of the line that the figure draws
EACH = 10**0.5  # from one budget in the table to the next


def measure_frontier(cells: Cells) -> Data | None:
    """Return the frontier of each recipe that was trained over sizes and widths, or None."""
    test_set = largest_test_set(cells)
    if test_set is None:
        return None
    groups = group_surfaces(cells, test_set)
    found = [_measure(surface_cells(group), group[0].recipe) for group in groups]
    pairs = [(row, group) for row, group in zip(found, groups, strict=True) if row is not None]
    titles = labels([shared_facts([cell.facts for cell in group]) for _, group in pairs])
    rows = [row | {"title": title} for (row, _), title in zip(pairs, titles, strict=True)]
    return {"level": LEVEL, "test_set_id": test_set, "recipes": rows} if rows else None


def _measure(table: pd.DataFrame, recipe: str) -> Data | None:
    """Return one recipe's frontier, of cells without a split: these exist at every width."""
    fitted = table[table["split"] == "none"]
    if fitted.empty:
        return None
    low, high = float(fitted["train_flop"].min()), float(fitted["train_flop"].max())
    steps = int(np.log(high / low) / np.log(EACH)) + 1
    budgets = high / EACH ** np.arange(steps)[::-1]
    try:
        found, surfaces = frontier(
            fitted, [*budgets, *np.geomspace(low, high, LINE)[:-1]], level=LEVEL
        )
    except InputError:  # too few cells, sizes or widths for a surface
        return None
    lengths = sorted(surfaces)
    on = fitted["epochs"].isin(lengths)
    other = pd.concat([fitted[~on], table[table["split"] != "none"]])
    of_widths = table.groupby("n_params")["width"].first()
    best = [asdict(one) | {"width": float(of_widths[one.n_params])} for one in found]
    at = sorted({one["train_flop"] for one in best} & set(map(float, budgets)))
    return {
        "recipe": recipe,
        "epochs": lengths,
        "cells": int(on.sum()),
        "widths": sorted({float(width) for width in fitted.loc[on, "width"]}),
        "n_low": int(fitted.loc[on, "n_train"].min()),
        "n_high": int(fitted.loc[on, "n_train"].max()),
        "flop_low": low,
        "flop_high": high,
        "surfaces": [
            {
                "epochs": epochs,
                "status": fit.status,
                "params": fit.params,
                "intervals": {name: list(pair) for name, pair in fit.intervals.items()},
            }
            for epochs, fit in surfaces.items()
        ],
        "best": [one for one in best if one["train_flop"] in at],
        "line": sorted(best, key=lambda one: one["train_flop"]),
        "points": _points(fitted[on]),
        "others": _points(other),
        "below": int(_below(other, found).sum()),
    }


def _points(table: pd.DataFrame) -> list[dict[str, Any]]:
    names = ["n_train", "width", "epochs", "train_flop", "error"]
    rows = table[names].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _below(other: pd.DataFrame, found: Sequence[Best]) -> Any:
    """Return which cells of other lengths lie below the frontier's interval at their budget."""
    line = sorted(found, key=lambda one: one.train_flop)
    flop = np.log([one.train_flop for one in line])
    low = np.interp(np.log(other["train_flop"]), flop, [one.low for one in line])
    return (other["error"] < low) & (np.log(other["train_flop"]) >= flop[0])


def show_frontier(data: Data) -> Section:
    text = [
        "The number of images and the width of least error for a budget of training FLOP. A"
        " surface E + A/n^α + B/params^β is fitted at each number of epochs that was trained over"
        " sizes and widths. Nothing is extrapolated: sizes and widths are those that were trained."
    ]
    text += [_sentence(row, f"{100 * data['level']:.0f} %") for row in data["recipes"]]
    return Section(
        title="Compute-optimal frontier",
        text=tuple(text),
        tables=tuple(_table(row, f"{100 * data['level']:.0f} %") for row in data["recipes"]),
        pictures=(
            Picture(
                name=FRONTIER,
                alt="Test error against training FLOP with the compute-optimal frontier",
                caption="Lines: the least error of a budget by the fitted surface, with its"
                " interval. Filled: cells that the surface was fitted to. Hollow: cells of other"
                " numbers of epochs, or with held-out images.",
            ),
        ),
    )


def _sentence(row: Data, level: str) -> str:
    last = row["best"][-1]
    sentence = (
        f"“{row['title']}”, {row['cells']} cells of {_join(row['epochs'])} epochs,"
        f" {row['n_low']:,} to {row['n_high']:,} images, widths {_join(row['widths'])}."
        f" At {scientific(last['train_flop'])} FLOP, {last['n_train']:,.0f} images at width"
        f" {last['width']:g} are best. Their error is {percent(last['error'])} ({level}:"
        f" {percent(last['low'])} to {percent(last['high'])})."
    )
    if row["others"]:
        sentence += (
            f" {row['below']} of {len(row['others'])} cells that are on no surface (of other"
            " numbers of epochs, or with held-out images) lie below the interval of the frontier."
        )
    return sentence


def _table(row: Data, level: str) -> Table:
    return Table(
        caption=f"The best for each budget, “{row['title']}” ({level} intervals;"
        " edge: n at the smallest or largest trained)",
        columns=("#FLOP", "#images", "#width", "#epochs", "#test error", "interval", "edge"),
        rows=tuple(
            (
                scientific(one["train_flop"]),
                f"{one['n_train']:,.0f}",
                f"{one['width']:g}",
                str(one["epochs"]),
                percent(one["error"]),
                f"{percent(one['low'])} to {percent(one['high'])}",
                yes(one["at_edge"]),
            )
            for one in row["best"]
        ),
    )


@styled
def draw_frontier(data: Data) -> Mapping[str, Figure]:
    fig = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = fig.subplots()
    widths = sorted({point["width"] for row in data["recipes"] for point in _all(row)})
    marks = dict(zip(widths, MARKERS, strict=False))
    colours = sns.color_palette("colorblind", len(data["recipes"]))
    dashes = [DASHES[i // 10 % len(DASHES)] for i in range(len(colours))]  # the palette has ten
    for colour, ls, row in zip(colours, dashes, data["recipes"], strict=True):
        line = {name: [one[name] for one in row["line"]] for name in row["line"][0]}
        ax.plot(line["train_flop"], line["error"], color=colour, ls=ls, lw=1.6, zorder=3)
        ax.fill_between(
            line["train_flop"], line["low"], line["high"], color=colour, alpha=0.18, lw=0
        )
        for points, how in ((row["points"], {"mfc": colour}), (row["others"], {"mfc": "none"})):
            for point in points:
                mark = marks.get(point["width"], "o")
                ax.plot(
                    point["train_flop"], point["error"], mark, color=colour, ms=5, alpha=0.9, **how
                )
    ax.set_xscale("log")
    ax.set_yscale("log")
    power_axis(ax.xaxis)
    percent_axis(ax)
    ax.grid(visible=True)
    ax.set_xlabel("training FLOP of one model")
    ax.set_ylabel("test error")
    handles = [
        Line2D([], [], color=colour, lw=1.6, ls=ls, label=row["title"])
        for colour, ls, row in zip(colours, dashes, data["recipes"], strict=True)
    ]
    handles += [
        Line2D([], [], ls="", marker=mark, color=GREY, label=f"width {width:g}")
        for width, mark in marks.items()
    ]
    place_legend(fig, ax, handles=handles, inside=True)
    return {FRONTIER: fig}


def _all(row: Data) -> list[dict[str, Any]]:
    return [*row["points"], *row["others"]]


def _join(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
