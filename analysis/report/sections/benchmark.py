"""Report the speed of the engines, from the results of `scaling bench --out OUT`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.present.formatting import NONE
from analysis.present.legends import shorten
from analysis.present.links import link, row_anchor
from analysis.present.style import recipe_title, styled
from analysis.report.sections.section import Data, Picture, Section, Table
from analysis.results.records import Records

NAME = "throughput"
SHOWN = (
    *("engine", "recipe", "width", "us", "us_range"),
    *("loop_us", "ratio", "floor_us", "floor_ratio"),
)
LEAST_RATIO = 3  # of the upper end of the y axis to its middle
PRESENTATIONS = 23 * 7291  # cited: the epochs and images of 1989


def read_bench(records: Records) -> Data | None:
    """Return the rows of a benchmark; None without one of the recipe of 1989."""
    rows = [{name: row[name] for name in SHOWN} for row in records.speeds]
    fastest = min((r for r in rows if r["recipe"] == "1989"), key=lambda r: r["us"], default=None)
    if fastest is None:
        return None
    return {
        "rows": rows,
        "machine": records.speeds[0].get("machine"),
        "fastest": fastest,
        "presentations": PRESENTATIONS,
        "seconds": fastest["us"] * PRESENTATIONS * 1e-6,
    }


def show(data: Data) -> Section:
    rows = data["rows"]
    fastest = data["fastest"]
    row = row_anchor(NAME, 1 + rows.index(fastest))
    text = (
        f"At {link(_number(fastest['us']), row)} µs an example the {data['presentations']:,}"
        f" presentations of 1989 take {_number(data['seconds'])} s of one core, where 1989 took"
        f" three days; the plain PyTorch loop takes {link(_number(fastest['loop_us']), row)} µs in"
        " the same run."
    )
    table = Table(
        caption="Microseconds of one core for one example and model, exact SGD, medians of rounds;"
        f" {data['machine'] or 'machine unknown'}",
        columns=(
            "engine",
            "recipe",
            "#width",
            "#µs",
            "range",
            "#plain PyTorch",
            "#ratio",
            "#floor",
            "#times the floor",
        ),
        rows=tuple(
            (
                row["engine"],
                recipe_title(row["recipe"]),
                f"{row['width']:g}",
                _number(row["us"]),
                " to ".join(map(_number, row["us_range"])),
                _number(row["loop_us"]),
                _number(row["ratio"]),
                _number(row["floor_us"]),
                _number(row["floor_ratio"]),
            )
            for row in rows
        ),
    )
    picture = Picture(
        name=NAME,
        alt="Microseconds an example of each engine against width, with the loop and the floor",
        caption="Training one example of one model, by width. Dashed: the plain PyTorch loop of"
        " the write-up. Dotted: the floating-point operations alone.",
    )
    return Section(title="Speed of the engines", text=(text,), tables=(table,), pictures=(picture,))


@styled
def draw(data: Data) -> Mapping[str, Figure]:
    recipes = list(dict.fromkeys(row["recipe"] for row in data["rows"]))
    engines = list(dict.fromkeys(row["engine"] for row in data["rows"]))
    colours = dict(zip(engines, sns.color_palette("colorblind", len(engines)), strict=True))
    fig = Figure(figsize=(2.6 + 2.7 * len(recipes), 3.4), layout="constrained")
    axes = fig.subplots(1, len(recipes), sharey=True, squeeze=False)[0]
    for ax, recipe in zip(axes, recipes, strict=True):
        rows = [row for row in data["rows"] if row["recipe"] == recipe]
        for engine in engines:
            mine = [row for row in rows if row["engine"] == engine]
            _line(ax, mine, "us", colours[engine], engine, "o-")
        first = [row for row in rows if row["engine"] == engines[0]]
        _line(ax, first, "loop_us", "#444444", "plain PyTorch", "--")
        _line(ax, first, "floor_us", "#444444", "arithmetic alone", ":")
        ax.set_xscale("log", base=2)
        _log_axis(ax)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(shorten(recipe_title(recipe), 2.4, 10, lines=2))
        ax.set_xlabel("width")
        ax.grid(visible=True)
    axes[0].set_ylabel("µs an example and model")
    fig.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside right center")
    return {NAME: fig}


def _log_axis(ax: Any) -> None:
    """Make the y axis logarithmic, long enough for two labels."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    middle = math.sqrt(low * high)
    ax.set_ylim(min(low, middle / LEAST_RATIO), max(high, middle * LEAST_RATIO))
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _line(ax: Any, rows: Sequence[Data], value: str, colour: Any, label: str, how: str) -> None:
    points = sorted((row["width"], row[value]) for row in rows if row[value] is not None)
    if len(points) == 1 and "o" not in how:
        how = "_"  # or nothing would be seen
    if points:
        size = 12 if how == "_" else 4
        ax.plot(*zip(*points, strict=True), how, ms=size, lw=1.3, color=colour, label=label)


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
