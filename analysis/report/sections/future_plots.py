"""Draw the figures about 2055: forms that are not rejected, and trends with their backtests."""

from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.present.formatting import number, seconds
from analysis.present.legends import shorten
from analysis.present.style import power_axis, styled
from analysis.report.sections.section import Data

GREY, SHADE = "#777777", "#ececec"
LEFT = 600.0  # images at which the axis begins, below the usual smallest set
TIMES = (1e-12, 1e-9, 1e-6, 1e-3, 1.0, 60.0, 3600.0, 86_400.0)
PERCENTS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


@styled
def draw_forms(data: Data) -> Figure:
    """Draw error against training images: observed, to ten times that, and far beyond."""
    curves = data["curves"]
    fig = Figure(figsize=(6.4, 0.5 + 3.0 * len(curves)), layout="constrained")
    axes = fig.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    colour = sns.color_palette("colorblind")[0]
    for ax, curve in zip(axes, curves, strict=True):
        _draw_curve(ax, curve, colour)
    axes[-1].set_xlabel("training images")
    handles = [
        Line2D([], [], color="black", lw=0.9, label="a form that is not rejected"),
        Patch(facecolor="none", edgecolor="#b0b0b0", hatch="////", label="all that these allow"),
        Line2D([], [], color=GREY, lw=0.9, ls=(0, (4, 3)), label="a rejected form"),
    ]
    fig.legend(handles=handles, frameon=False, ncols=3, loc="outside lower center", fontsize=8)
    return fig


def _draw_curve(ax: Any, curve: Data, colour: Any) -> None:
    ahead, far = curve["ahead"]["line"], curve["far"]
    edge = ahead["x"][-1]
    ax.axvspan(curve["n_low"], curve["n_high"], color=SHADE, lw=0, zorder=0)
    kept = [form for form in far["forms"] if not form["rejected"] and form["low"] is not None]
    if kept:
        x = np.array(kept[0]["line"]["x"])
        ends = [np.array([form["line"][end] for form in kept]) for end in ("low", "high")]
        low, high = ends[0].min(axis=0), ends[1].max(axis=0)
        beyond = x >= curve["n_high"]
        ax.fill_between(
            x[beyond], low[beyond], high[beyond], facecolor="none", edgecolor="#b0b0b0",
            hatch="////", lw=0.6, zorder=1,
        )  # fmt: skip
    for form in far["forms"]:
        line = form["line"]
        how: Any = {"color": GREY, "lw": 0.9, "ls": (0, (4, 3))}
        if not form["rejected"]:
            how = {"color": "black", "lw": 0.9}
        shown = np.array(line["x"]) >= curve["n_high"]
        ax.plot(np.array(line["x"])[shown], np.array(line["y"])[shown], zorder=2, **how)
    ax.fill_between(
        ahead["x"], ahead["low"], ahead["high"], color=colour, alpha=0.45, lw=0, zorder=3
    )
    ax.plot(ahead["x"], ahead["y"], color=colour, lw=1.4, zorder=4)
    if law := curve["law"]:
        line = law["line"]
        ax.plot(line["x"], line["y"], color=colour, lw=1.4, zorder=4)
        ax.fill_between(line["x"], line["low"], line["high"], color=colour, alpha=0.25, lw=0)
    ax.plot(curve["n_train"], curve["errors"], "o", ms=4, color=colour, zorder=5)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _limits(ax, curve)
    _notes(ax, curve, edge, colour)
    ax.set_title(shorten(f"“{curve['title']}”", 5, 10))
    ax.set_ylabel("test error")


def _limits(ax: Any, curve: Data) -> None:
    """Set the axes, from below the least error that any form allows to above the largest error."""
    far = curve["far"]
    ax.set_xlim(min(LEFT, 0.7 * curve["n_low"]), 1.6 * far["n_train"])
    errors = [*curve["errors"], curve["ahead"]["low"], curve["ahead"]["high"]]
    errors = [error for error in errors if error]
    shown = [*errors, *(form["error"] for form in far["forms"])]
    shown += [end for end in (far["low"], far["high"], far["label_noise"]) if end]
    ax.set_ylim(max(0.6 * min(shown), 1e-5), 1.5 * max(errors))
    exponents = range(2, 13)
    ax.xaxis.set_major_locator(FixedLocator([10.0**e for e in exponents]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _images(v)))
    ax.yaxis.set_major_locator(FixedLocator([percent / 100 for percent in PERCENTS]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.3g} %"))
    ax.grid(visible=True, axis="y", zorder=0)
    ax.set_axisbelow(True)


def _notes(ax: Any, curve: Data, edge: float, colour: Any) -> None:
    """Label each part of the figure."""
    top, far = 0.93 * ax.get_ylim()[1], curve["far"]
    small: Any = {"fontsize": 7.5, "va": "top"}
    ax.text(curve["n_low"] * 1.1, top, "trained", color="#444444", **small)
    times = number(curve["ahead"]["times"])
    ax.text(curve["n_high"] * 1.15, top, f"to {times}×,\ncalibrated", color=colour, **small)
    text = "every form that is not rejected" if far["determined"] else "cannot be determined"
    middle = np.sqrt(edge * far["n_train"])
    ax.text(middle, top, f"{text}\nfrom this study" if not far["determined"] else text,
            ha="center", color="black", weight="bold", **small)  # fmt: skip
    ax.axvline(far["n_train"], color=GREY, lw=0.8, ls=":")
    if far["label_noise"]:
        ax.axhline(far["label_noise"], color="#c44e00", lw=0.9, ls=(0, (1, 2)))
        ax.text(ax.get_xlim()[0] * 1.15, far["label_noise"] * 1.08, "wrong test labels",
                fontsize=7.5, color="#c44e00")  # fmt: skip


@styled
def draw_trends(data: Data) -> Figure:
    """Draw 1989, 2022 and 2055 in four panels, as scenarios with their backtests."""
    fig = Figure(figsize=(7.0, 6.6), layout="constrained")
    axes = fig.subplots(2, 2)
    palette = sns.color_palette("colorblind")
    for ax, found in zip(axes.flat, data["outlooks"], strict=False):
        _draw_growth(ax, data, found, palette)
    _draw_times(axes.flat[3], data, palette)
    for ax in axes.flat:
        ax.set_xlim(1985, 2062)
        ax.axvspan(data["now"], 2062, color="#f5f5f5", lw=0, zorder=0)
        right: Any = {"loc": "right", "fontsize": 7.5, "color": "#555555"}
        ax.set_title(f"after {data['now']}: scenarios", **right)
        ax.set_xticks([data["then"], data["now"], data["ahead"]])
        ax.grid(visible=True)
        ax.set_axisbelow(True)
    return fig


def _draw_growth(ax: Any, data: Data, found: Data, palette: Any) -> None:
    then, network, ahead = data["then"], data["network"], data["ahead"]
    drawn = [row for row in found["scenarios"] if row["drawn"]]
    for colour, row in zip(palette, drawn, strict=False):
        label = f"{row['name']}, {_short(row['years'])}"
        if row["low"] is not None:
            ax.fill_between(
                [network, ahead], [found["now"], row["low"]], [found["now"], row["high"]],
                color=colour, alpha=0.25, lw=0,
            )  # fmt: skip
        ax.plot([network, ahead], [found["now"], row["value"]], color=colour, lw=1.4, label=label)
        projected = row["test"]["projected"]
        ax.plot([then, network], [found["then"], projected], color=colour, lw=1, ls=":")
        ax.plot(network, projected, "x", color=colour, ms=5, mew=1.4)
    missed = 10 ** found["cited"]["missed"]
    ax.plot([network + 1.5] * 2, [found["now"] / missed, found["now"]], color=GREY, lw=3, alpha=0.6)
    ax.annotate(
        f"fits before 1990:\n{found['cited']['missed']:.1f} orders short",
        (network + 3, found["now"] / missed),
        fontsize=6.5,
        color="#555555",
    )
    middle = next(row for row in drawn if row["years"].startswith("1989"))["value"]
    ax.plot([ahead + 3] * 2, [middle / missed, middle * missed], color=GREY, lw=3, alpha=0.6)
    if found["claimed"]:
        ax.plot(ahead, found["claimed"], "*", color="black", ms=8, zorder=6)
    ax.plot([then, network], [found["then"], found["now"]], "o", color="black", ms=4.5, zorder=5)
    ax.set_yscale("log")
    ax.yaxis.set_minor_locator(NullLocator())
    power_axis(ax.yaxis)
    ax.set_title(
        f"{found['name']}" + ("" if found["unit"] == found["name"] else f", {found['unit']}")
    )
    ax.legend(frameon=False, fontsize=6.5, loc="upper left", handlelength=1.2)


def _draw_times(ax: Any, data: Data, palette: Any) -> None:
    published, own = data["published_seconds"], data["measured"]
    then, now, ahead = data["then"], data["now"], data["ahead"]
    for colour, row in zip(palette, [row for row in data["times"] if row["drawn"]], strict=False):
        label: str | None = f"{row['name'].split(',')[0]}, {_short(row['years'])}"
        starts = [(now, published["2022"], row["ninety"])]
        starts += [(own["year"], own["seconds"], row["measured"])] if own else []
        for year, start, span in starts:
            if span["low"] is not None:
                ax.fill_between(
                    [year, ahead], [start, span["low"]], [start, span["high"]],
                    color=colour, alpha=0.18, lw=0,
                )  # fmt: skip
            ax.plot([year, ahead], [start, span["value"]], color=colour, lw=1.4, label=label)
            label = None
        projected = row["test"]["projected"]
        ax.plot([then, now], [published["1989"], projected], color=colour, lw=1, ls=":")
        ax.plot(now, projected, "x", color=colour, ms=5, mew=1.4)
    ax.plot(
        [then, now], [published["1989"], published["2022"]], "o", color="black", ms=4.5, zorder=5
    )
    if own:
        ax.plot(own["year"], own["seconds"], "D", color="black", ms=4.5, zorder=5)
        ax.annotate("measured here", (own["year"], own["seconds"]), (-6, -3), fontsize=6.5,
                    textcoords="offset points", ha="right", va="top")  # fmt: skip
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(FixedLocator(TIMES))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda v, _: seconds(v).replace("60 s", "1 min").replace("1 days", "1 day"))
    )
    ax.set_title("training time")
    ax.legend(frameon=False, fontsize=6.5, loc="lower left", handlelength=1.2)


def _short(years: str) -> str:
    """Return years as 1989–2022 for 1989-2022.3."""
    return "–".join(part.partition(".")[0] for part in years.split("-"))


def _images(value: float) -> str:
    """Return a power of ten in words; an empty text for those whose labels would overlap."""
    exponent = round(np.log10(value))
    names = {3: "1,000", 5: "100,000", 7: "10 million", 9: "1 billion", 11: "100 billion"}
    return names.get(exponent, "")
