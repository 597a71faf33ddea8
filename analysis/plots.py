"""Figures: one style, colour-blind safe, in the units of the data."""

import io
import textwrap
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import cycle
from typing import Any, TypeVar, cast

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.curves import Curve
from analysis.fit import Fit

RECIPE_TITLES = {
    "1989": "1989",
    "ce": "+ cross-entropy",
    "adamw": "+ AdamW",
    "augment": "+ shifts",
    "dropout_relu": "2022 (all tricks)",
}
MARKERS = "osD^vP"
PANELS_ACROSS = 3
FEW_TICKS = 4
LEGEND_INSIDE = 4  # with more curves the legend goes below, where it hides nothing
STYLE: Any = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": "#e6e6e6",
    "svg.fonttype": "none",
    "svg.hashsalt": "scaling",
}


F = TypeVar("F", bound=Callable[..., Any])


def styled(draw: F) -> F:
    """Draw in our style and leave the user's own as it is."""

    @wraps(draw)
    def styled(*args: Any, **kwargs: Any) -> Any:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return cast(F, styled)


def recipe_title(recipe: str) -> str:
    return RECIPE_TITLES.get(recipe, recipe)


@styled
def scaling_figure(curves: Sequence[Curve]) -> Figure:
    """Test error against the number of training images, a panel for each test set."""
    panels = [
        [curve for curve in curves if curve.fixed["test_set_id"] == test_set]
        for test_set in dict.fromkeys(curve.fixed["test_set_id"] for curve in curves)
    ]
    rows = max(map(len, panels))
    below = 0.0 if rows <= LEGEND_INSIDE else 0.2 * rows
    fig = Figure(figsize=(6.4, (4.2 + below) * len(panels)), layout="constrained")
    axes = fig.subplots(len(panels), 1, squeeze=False)[:, 0]
    for ax, panel in zip(axes, panels, strict=True):
        colours = sns.color_palette("colorblind", len(panel))
        for colour, marker, curve in zip(colours, cycle(MARKERS), panel, strict=False):
            _draw_curve(ax, curve, colour, marker, curve_label(curve, panel))
        _log_axes(ax, [n for curve in panel for n in curve.n_train])
        ax.set_xlabel("training images")
        ax.set_ylabel("test error")
        if len(panels) > 1:
            ax.set_title(str(panel[0].fixed["test_set_id"]))
        where: Any = {"loc": "best"}
        if len(panel) > LEGEND_INSIDE:
            where = {"loc": "upper left", "bbox_to_anchor": (0, -0.14), "ncols": 2, "fontsize": 8}
        ax.legend(frameon=False, handlelength=2.5, **where)
    return fig


@styled
def learning_figure(curves: Sequence[Curve], metrics: Any) -> Figure:
    """Test error after each evaluated epoch, the mean over seeds, a panel for each recipe."""
    across = min(len(curves), PANELS_ACROSS)
    down = -(-len(curves) // across)
    fig = Figure(figsize=(1.6 + 2.8 * across, 0.4 + 2.8 * down), layout="constrained")
    axes = fig.subplots(down, across, sharey=True, squeeze=False)
    sizes = sorted({n for curve in curves for n in curve.n_train})
    shades = dict(zip(sizes, sns.color_palette("flare", len(sizes)), strict=True))
    for ax, curve in zip(axes.flat, curves, strict=False):
        rows = metrics[metrics["run_id"].isin(curve.models["run_id"])]
        for n_train, cell in rows.groupby("n_train"):
            error = (cell["test_misses"] / cell["n_test"]).groupby(cell["epoch"]).mean()
            ax.plot(error.index, error, color=shades[n_train], marker=".")
        ax.set_title("\n".join(textwrap.wrap(curve_title(curve, curves), 30)))
        _log_axes(ax, sorted(set(rows["epoch"])))
        ax.set_xlabel("epoch")
    for ax in axes.flat[len(curves) :]:
        ax.set_visible(False)
    for row in axes:
        row[0].set_ylabel("test error")
    handles = [Line2D([], [], color=shades[n], marker=".", label=f"{n:,}") for n in sizes]
    fig.legend(handles=handles, title="training images", frameon=False, loc="outside right center")
    return fig


@styled
def plot_fit(fit: Fit, ax: Any = None) -> Any:
    """Points, curve and band of one fit on log-log axes."""
    if ax is None:
        _, ax = _figure(5, 3.6)
    ax.plot(*fit.points, "o", color="C0")
    _draw_fit(ax, fit, "C0")
    _log_axes(ax, list(fit.points[0]))
    return ax


def curve_title(curve: Curve, among: Sequence[Curve]) -> str:
    """The recipe, and whatever else tells a curve from the others."""
    parts = [recipe_title(curve.recipe)]
    for key, words in (
        ("test_set_id", "{}"),
        ("width", "width {:g}"),
        ("epochs", "{} epochs"),
        ("batch_size", "batch {}"),
        ("split", "split {}"),
        ("lr", "learning rate {:g}"),
        ("weight_decay", "weight decay {:g}"),
    ):
        alike = [other for other in among if other.recipe == curve.recipe and key in other.fixed]
        if key in curve.fixed and len({other.fixed[key] for other in alike}) > 1:
            parts.append(words.format(curve.fixed[key]))
    return ", ".join(parts)


def curve_label(curve: Curve, among: Sequence[Curve]) -> str:
    """The title with the number of epochs, for a legend."""
    title, epochs = curve_title(curve, among), f"{curve.fixed['epochs']} epochs"
    return title if epochs in title else f"{title}, {epochs}"


@styled
def as_svg(fig: Figure) -> bytes:
    return _bytes(fig, "svg", metadata={"Date": None})


@styled
def as_png(fig: Figure) -> bytes:
    return _bytes(fig, "png", dpi=160)


def _draw_curve(ax: Any, curve: Curve, colour: Any, marker: str, label: str) -> None:
    mean = curve.errors
    bars = [[s.error - s.low for s in curve.summaries], [s.high - s.error for s in curve.summaries]]
    models = curve.models
    ax.plot(models["n_train"], models["error"], ".", color=colour, alpha=0.35, ms=4, zorder=2)
    ax.errorbar(
        curve.n_train,
        mean,
        yerr=np.maximum(bars, 0),
        fmt=marker,
        ms=5,
        color=colour,
        capsize=2.5,
        lw=1.1,
        zorder=3,
        label=label,
    )
    if curve.drawn is not None:
        _draw_fit(ax, curve.drawn, colour)


def _draw_fit(ax: Any, fit: Fit, colour: Any) -> None:
    """Only within the observed range: beyond it no interval of this fit has been tested."""
    x = np.geomspace(*fit.x_range, 100)
    band = fit.predict(x)
    ax.plot(x, band.y, color=colour, lw=1.4, zorder=1)
    ax.fill_between(x, band.low, band.high, color=colour, alpha=0.15, lw=0, zorder=0)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    fig = Figure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots()


def _log_axes(ax: Any, x_ticks: Sequence[float]) -> None:
    """Both axes logarithmic, ticks at the sizes themselves and at round percentages."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(FixedLocator(_thinned(x_ticks)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    percent_axis(ax)
    ax.grid(visible=True)


def percent_axis(ax: Any) -> None:
    """The logarithmic y axis of errors, with ticks at round percentages."""
    low, high = ax.get_ylim()
    steps = [m * 10.0**e for e in range(-5, 1) for m in (1, 1.5, 2, 3, 4, 5, 6, 8)]
    inside = [step for step in steps if low <= step <= high]
    if len(inside) < FEW_TICKS:  # within a factor of two or so
        steps = [m * 10.0**e for e in range(-6, 0) for m in range(10, 100, 2)]
        inside = [step for step in steps if low <= step <= high]
    ax.yaxis.set_major_locator(FixedLocator(inside[:: -(-len(inside) // 9) or 1]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def _thinned(ticks: Sequence[float], ratio: float = 1.5) -> list[float]:
    """Ticks far enough apart on a logarithmic axis that their labels do not touch."""
    kept: list[float] = []
    for tick in sorted(set(ticks)):
        if not kept or tick >= ratio * kept[-1]:
            kept.append(tick)
    return kept


def _bytes(fig: Figure, kind: str, **options: Any) -> bytes:
    body = io.BytesIO()
    fig.savefig(body, format=kind, **options)
    return body.getvalue()
