"""Draw the figures of curves: error against training images, and against epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.laws.curves import Curve, curve_labels, curve_titles
from analysis.present.fit_plot import draw_fit
from analysis.present.legends import INSIDE, columns, fits_inside, make_room, shorten
from analysis.present.style import line_styles, log_axes, styled

PANELS_ACROSS = 3


@styled
def scaling_figure(curves: Sequence[Curve], ahead: Sequence[Mapping[str, Any]] = ()) -> Figure:
    """Draw test error against the number of training images, a panel for each test set.

    `ahead` are forecasts beyond the largest size, by label. A panel of many curves omits them.
    """
    fans = {fan["curve"]: fan["points"] for fan in ahead}
    panels = [
        [curve for curve in curves if curve.fixed["test_set_id"] == test_set]
        for test_set in dict.fromkeys(curve.fixed["test_set_id"] for curve in curves)
    ]
    rows = max(map(len, panels))
    whole = dict(zip(map(id, curves), curve_labels(curves), strict=True))
    below = 0.0 if rows <= INSIDE else 0.2 * rows
    fig = Figure(figsize=(6.4, (4.2 + below) * len(panels)), layout="constrained")
    axes = fig.subplots(len(panels), 1, squeeze=False)[:, 0]
    high = []
    for ax, panel in zip(axes, panels, strict=True):
        styles = line_styles(len(panel))
        colours = [style["color"] for style in styles]
        for style, curve, label in zip(styles, panel, curve_labels(panel), strict=True):
            _draw_curve(ax, curve, style, label)
        sizes = [float(n) for curve in panel for n in curve.n_train]
        drawn = [fans.get(whole[id(curve)]) for curve in panel]
        if len(panel) <= INSIDE and any(drawn):
            _draw_fans(ax, [fan or [] for fan in drawn], colours, sizes)
            sizes += [max(sizes) * times for times in (3, 10)]
        log_axes(ax, sizes)
        ax.set_xlabel("training images")
        ax.set_ylabel("test error")
        if len(panels) > 1:
            ax.set_title(shorten(str(panel[0].fixed["test_set_id"]), 5, 10))
        high.append(_legend(fig, ax))
    make_room(fig, high)
    return fig


def _legend(fig: Figure, ax: Any) -> float:
    """Draw the legend in its panel or below it; return its height below the panel in inches."""
    handles, labels = ax.get_legend_handles_labels()
    how: Any = {"frameon": False, "handlelength": 2.5}
    if fits_inside(fig, labels):
        ax.legend(loc="best", **how)
        return 0.0
    handles, labels, across, high = columns(fig, handles, labels, margin=1.0)
    below: Any = {"loc": "upper left", "bbox_to_anchor": (0, -0.14), "fontsize": 8}
    ax.legend(handles, labels, ncols=across, **below, **how)
    return high


@styled
def learning_figure(curves: Sequence[Curve], metrics: Any) -> Figure:
    """Draw the mean test error over seeds after each evaluated epoch, a panel for each recipe."""
    across = min(len(curves), PANELS_ACROSS)
    down = -(-len(curves) // across)
    fig = Figure(figsize=(max(1.6 + 2.8 * across, 5.0), 0.4 + 2.8 * down), layout="constrained")
    axes = fig.subplots(down, across, sharey=True, squeeze=False)
    sizes = sorted({n for curve in curves for n in curve.n_train})
    shades = dict(zip(sizes, sns.color_palette("flare", len(sizes)), strict=True))
    for ax, curve, title in zip(axes.flat, curves, curve_titles(curves), strict=False):
        rows = metrics[metrics["run_id"].isin(curve.models["run_id"])]
        for n_train, cell in rows.groupby("n_train"):
            error = (cell["test_misses"] / cell["n_test"]).groupby(cell["epoch"]).mean()
            ax.plot(error.index, error.clip(lower=curve.least), color=shades[n_train], marker=".")
        ax.set_title(shorten(title, 2.4, 10, lines=2))
        log_axes(ax, sorted(set(rows["epoch"])))
        ax.set_xlabel("epoch")
    for ax in axes.flat[len(curves) :]:
        ax.set_visible(False)
    for row in axes:
        row[0].set_ylabel("test error")
    handles = [Line2D([], [], color=shades[n], marker=".", label=f"{n:,}") for n in sizes]
    fig.legend(handles=handles, title="training images", frameon=False, loc="outside right center")
    return fig


def _draw_curve(ax: Any, curve: Curve, style: Mapping[str, Any], label: str) -> None:
    mean = np.maximum(curve.errors, curve.least)  # no miss has no place on a logarithmic axis
    colour = style["color"]
    bars = [mean - [s.low for s in curve.summaries], [s.high for s in curve.summaries] - mean]
    models = curve.models
    ax.plot(
        models["n_train"],
        models["error"].clip(lower=curve.least),
        ".",
        color=colour,
        alpha=0.35,
        ms=4,
        zorder=2,
    )
    ax.errorbar(
        curve.n_train,
        mean,
        yerr=np.maximum(bars, 0),
        ls="",
        ms=5,
        capsize=2.5,
        elinewidth=1.1,
        zorder=3,
        label=label,
        **style,
    )
    if curve.shown_fit is not None:
        draw_fit(ax, curve.shown_fit, colour, most=1.0)


def _draw_fans(
    ax: Any, fans: Sequence[Sequence[Mapping[str, float]]], colours: Any, sizes: Sequence[float]
) -> None:
    """Draw forecasts beyond the observed sizes: dashed and hatched, outside of the shaded range."""
    for colour, fan in zip(colours, fans, strict=False):
        if fan:
            x, y, low, high = (
                [p[name] for p in fan] for name in ("n_train", "error", "low", "high")
            )
            ax.plot(x, y, "--", color=colour, lw=1.2, zorder=1)
            ax.fill_between(
                x, low, high, fc="none", ec=colour, alpha=0.35, lw=0.6, hatch="////", zorder=0
            )
    ax.axvspan(min(sizes), max(sizes), color="#f0f0f0", lw=0, zorder=-1)
    for at, words, side in ((min(sizes), "observed", "left"), (max(sizes), "predicted", "left")):
        ax.annotate(
            f" {words}",
            (at, 0.99),
            xycoords=("data", "axes fraction"),
            ha=side,
            va="top",
            fontsize=8,
            color="#666666",
        )
