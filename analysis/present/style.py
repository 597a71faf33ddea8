"""The style of all figures: colour-blind safe, in the units of the data."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from analysis.present.formatting import power_of_ten
from scaling.study import MODERN

RECIPE_TITLES = {
    "1989": "1989",
    "ce": "+ cross-entropy",
    "adamw": "+ AdamW",
    "augment": "+ shifts",
    MODERN: "2022 (all tricks)",
    "paper": "all four of the paper's",
    "relu_alone": "ReLU alone",
    "gelu": "GELU",
    "gelu_less_decay": "GELU, less decay",
    "ema": "weight averaging",
    "scratch": "from scratch",
    "fine_tune": "fine-tuned",
    "init_fan_in": "init by fan-in",
    "second_order": "second-order method",
}
MARKERS = "osD^vPX*"
FEW_TICKS = 4
STYLE: Any = {
    "text.parse_math": False,  # a stranger may have named the recipe
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
    """Decorate a function to draw in this style, without a change to the user's own."""

    @wraps(draw)
    def styled(*args: Any, **kwargs: Any) -> Any:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return cast(F, styled)


def recipe_title(recipe: str, model: str = "lecun1989") -> str:
    """Return the title of a recipe; for another model than the usual one, of the model."""
    if model != "lecun1989":
        return model.replace("_", " ").replace("vit", "ViT")
    return RECIPE_TITLES.get(recipe, recipe.replace("_", " "))


def line_styles(n: int) -> list[dict[str, Any]]:
    """Return a colour and a marker for each of n lines, no two the same up to 160 of them."""
    colours = sns.color_palette("colorblind")
    every = len(colours) * len(MARKERS) // 2  # where both have come round, as 10 and 8 do at 40
    styles = []
    for i in range(n):
        hollow, turn = divmod(i // every, 2)
        marker = MARKERS[(i + turn) % len(MARKERS)]
        style: dict[str, Any] = {"color": colours[i % len(colours)], "marker": marker}
        styles.append(style | ({"mfc": "white"} if hollow else {}))
    return styles


def same_marker(marker: str, n: int) -> list[dict[str, Any]]:
    """Return styles as `line_styles`, all with this marker as long as there are colours."""
    colours, first = sns.color_palette("colorblind"), MARKERS.index(marker)
    return [
        {
            "color": colours[i % len(colours)],
            "marker": MARKERS[(first + i // len(colours)) % len(MARKERS)],
        }
        for i in range(n)
    ]


@styled
def as_svg(fig: Figure) -> bytes:
    return _bytes(fig, "svg", metadata={"Date": None})


@styled
def as_png(fig: Figure) -> bytes:
    return _bytes(fig, "png", dpi=160)


def log_axes(ax: Any, x_ticks: Sequence[float]) -> None:
    """Make both axes logarithmic, with ticks at the sizes and at round percentages."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(FixedLocator(_thinned(x_ticks)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _count(value)))
    percent_axis(ax)
    ax.grid(visible=True)


def percent_axis(ax: Any) -> None:
    """Set ticks at round percentages on a logarithmic y axis of errors."""
    low, high = ax.get_ylim()
    steps = [m * 10.0**e for e in range(-5, 1) for m in (1, 1.5, 2, 3, 4, 5, 6, 8)]
    inside = [step for step in steps if low <= step <= high]
    if len(inside) < FEW_TICKS:  # within a factor of two or so
        steps = [m * 10.0**e for e in range(-6, 0) for m in range(10, 100, 2)]
        inside = [step for step in steps if low <= step <= high]
    ax.yaxis.set_major_locator(FixedLocator(inside[:: -(-len(inside) // 9) or 1]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def power_axis(axis: Any) -> None:
    """Label the powers of ten of a logarithmic axis as text; matplotlib would write formulas."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axis.set_minor_formatter(NullFormatter())


def change_axis(ax: Any) -> None:
    """Label every tick of an x axis of relative changes."""
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: change_label(value)))


def draw_change(
    ax: Any,
    row: Mapping[str, Any],
    y: float,
    marker: str,
    *,
    color: Any,
    lw: float,
    label: Any = None,
) -> None:
    """Draw a change with its interval; with an arrow where it has no upper end."""
    low, high, change = row["low"], row["high"], row["change"]
    ax.plot([low, low + 1 if high is None else high], [y, y], color=color, lw=lw)
    if high is None:
        ax.plot(low + 1, y, ">", color=color, ms=5)
    if change is not None or label is not None:
        ax.plot([] if change is None else change, [] if change is None else y,
                marker, color=color, ms=5, label=label)  # fmt: skip


def change_label(value: float) -> str:
    """Return 0.075 as +7.5 %."""
    percent = round(100 * value, 6)
    return f"{percent:+g} %".replace("-", "−") if percent else "0 %"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:.3g} M"


def _thinned(ticks: Sequence[float]) -> list[float]:
    """Return ticks of a logarithmic axis without those whose labels would touch."""
    ratio = max(1.5, (max(ticks) / min(ticks)) ** 0.1) if ticks else 1.5  # about ten labels fit
    kept: list[float] = []
    for tick in sorted(set(ticks)):
        if not kept or tick >= ratio * kept[-1]:
            kept.append(tick)
    return kept


def _bytes(fig: Figure, kind: str, **options: Any) -> bytes:
    body = io.BytesIO()
    fig.savefig(body, format=kind, **options)
    return body.getvalue()
