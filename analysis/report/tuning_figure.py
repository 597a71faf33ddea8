"""Draw the figure of a tuning: validation error against each tuned value."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.effects.tuning import Tuning
from analysis.present.legends import place_legend, shorten
from analysis.present.style import percent_axis, recipe_title, styled
from analysis.results.tuning_trials import TuningTrial
from analysis.stats.bootstrap import error_floor

WORDS = {
    "lr": "learning rate",
    "weight_decay": "weight decay",
    "ema": "EMA decay",
    "dropout": "dropout rate",
    "label_smoothing": "label smoothing",
}
BLUE, ORANGE, RED = (sns.color_palette("colorblind")[i] for i in (0, 1, 3))
EDGE_GREY, ALIKE_BLUE = "#ececec", "#e3eef6"
OFF_SCALE = 2.5  # times the worse of best and published: errors beyond would flatten the rest


@styled
def response_figure(tuned: Tuning) -> Figure:
    """Draw a panel for each tuned value: every suggestion, the best and the published one."""
    space = tuned.space
    fig = Figure(figsize=(1.2 + 3.9 * len(space), 4.6), layout="constrained")
    axes = fig.subplots(1, len(space), sharey=True, squeeze=False)[0]
    top = _top(tuned)
    for ax, value in zip(axes, space, strict=True):
        _draw(ax, tuned, value, top)
    axes[0].set_ylim(top=top)
    percent_axis(axes[0])
    axes[0].set_ylabel(f"validation error, mean of {_seeds(tuned)}")
    title = shorten(_title(tuned), fig.get_figwidth() - 0.2, 10, lines=2)
    fig.suptitle(title, x=0.01, ha="left", fontsize=10)
    place_legend(fig, axes[0], handles=_handles(tuned), across=2 if len(space) == 1 else 4)
    return fig


def _draw(ax: Any, tuned: Tuning, value: Mapping[str, Any], top: float | None) -> None:
    name, (low, high) = value["name"], value["range"]
    if value["scale"] == "log":
        ax.set_xscale("log")
    ax.set_yscale("log")
    for ends in ((low, value["edges"][0]), (value["edges"][1], high)):
        ax.axvspan(*ends, color=EDGE_GREY, lw=0, zorder=0)
    for first, now in zip(value["first_range"], (low, high), strict=True):
        if first != now:
            ax.axvline(first, color="#999999", lw=0.9, ls=":", zorder=1)
    alike = [tried.values[name] for tried in tuned.alike()]
    if tuned.distinct() and min(alike) < max(alike):
        ax.axvspan(min(alike), max(alike), color=ALIKE_BLUE, lw=0, zorder=0)
    for tried in tuned.done:
        x = tried.values[name]
        if top and _visible_error(tried) > top:
            _at_the_top(ax, x, "^", BLUE)
            continue
        seeds = [max(error, error_floor(tried.n_val)) for error in tried.errors.values()]
        ax.plot([x] * len(seeds), seeds, ".", color=BLUE, alpha=0.3,
                ms=3.5, zorder=2)  # fmt: skip
        ax.errorbar(
            x, _visible_error(tried), yerr=tried.se, fmt="o", ms=4.5, color=BLUE, lw=1, zorder=3
        )
    for named, marker, colour in ((tuned.published, "D", ORANGE), (tuned.best, "*", RED)):
        if named is not None:
            ax.plot(named.values[name], _visible_error(named), marker, color=colour,
                    ms=15 if marker == "*" else 8, mec="white", mew=0.8, zorder=5)  # fmt: skip
    for tried in tuned.trials:
        if tried.status == "failed":
            _at_the_top(ax, tried.values[name], "x", "#555555")
    _x_axis(ax, value)


def _visible_error(tried: TuningTrial) -> float:
    """Return the error, or that of half a miss in place of 0, for the logarithmic axis."""
    return max(tried.error, error_floor(tried.n_val))


def _at_the_top(ax: Any, x: float, marker: str, colour: Any) -> None:
    where = ax.get_xaxis_transform()
    ax.plot(x, 0.97, marker, color=colour, ms=6, zorder=4, transform=where)


def _top(tuned: Tuning) -> float | None:
    """Return the end of the y axis; None where all errors are near that of the best."""
    named = [_visible_error(tried) for tried in (tuned.best, tuned.published) if tried is not None]
    top = OFF_SCALE * max(named)
    return top if any(_visible_error(tried) > top for tried in tuned.done) else None


def _x_axis(ax: Any, value: Mapping[str, Any]) -> None:
    low, high = value["range"]
    if value["scale"] == "log":
        margin = (high / low) ** 0.02
        ax.set_xlim(low / margin, high * margin)
        decades = np.log10(high / low)
        subs = (1.0,) if decades > 3.5 else (1.0, 3.0) if decades > 1.7 else (1.0, 2.0, 5.0)
        ax.xaxis.set_major_locator(LogLocator(subs=subs))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set_xlabel(WORDS.get(value["name"], value["name"]))
    ax.grid(visible=True)


def _handles(tuned: Tuning) -> list[Any]:
    """Return the legend of the marks, with the values of the best and the published one."""
    line: Any = {"ls": "", "mec": "white"}
    handles: list[Any] = []
    if best := tuned.best:
        label = f"{'best' if tuned.distinct() else 'fewest misses'}: {_values(best.values)}"
        handles.append(Line2D([], [], marker="*", color=RED, ms=13, label=label, **line))
    if published := tuned.published:
        label = f"published: {_values(published.values)}"
        handles.append(Line2D([], [], marker="D", color=ORANGE, ms=7, label=label, **line))
    handles.append(Line2D([], [], marker="o", color=BLUE, ms=4.5, lw=1, label="suggestion ± s.e."))
    handles.append(Line2D([], [], marker=".", color=BLUE, alpha=0.4, ls="", label="one seed"))
    if any(tried.status == "failed" for tried in tuned.trials):
        handles.append(Line2D([], [], marker="x", color="#555555", ls="", label="failed (NaN)"))
    if _top(tuned):
        handles.append(Line2D([], [], marker="^", color=BLUE, ls="", label="above the scale"))
    if tuned.distinct() and len(tuned.alike()) > 1:
        handles.append(Patch(color=ALIKE_BLUE, label="no worse within one s.e."))
    handles.append(Patch(color=EDGE_GREY, label="edges of the range"))
    if tuned.plan["tuning"]["widened"]:
        handles.append(Line2D([], [], color="#999999", ls=":", label="first range"))
    return handles


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{WORDS.get(name, name)} {value:g}" for name, value in values.items())


def _seeds(tuned: Tuning) -> str:
    seeds = len(tuned.summary()["seeds"])
    return f"{seeds} seeds" if seeds != 1 else "1 seed"


def _title(tuned: Tuning) -> str:
    found = tuned.summary()
    epochs = f", {found['epochs'][0]} epochs" if len(found["epochs"]) == 1 else ""
    return (
        f"Tuning of {recipe_title(found['recipe'] or tuned.name)} on {found['dataset']},"
        f" {found['n_train']:,} images, width {found['width']:g}{epochs}"
    )
