"""Draw the data multiplier m of tricks against the size N."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from analysis.present.legends import place_legend
from analysis.present.style import line_styles, log_axes, styled
from analysis.stats.effective_data import EffectiveData


@styled
def worth_figure(worths: Mapping[str, EffectiveData]) -> Figure:
    """Draw m(N) of each trick with its interval; an arrow where the interval is unbounded."""
    fig = Figure(figsize=(6.4, 4.0), layout="constrained")
    ax = fig.subplots()
    styles = line_styles(len(worths) + 1)
    for place, (name, found) in enumerate(
        worths.items(), 1
    ):  # style 0 is the baseline's in other figures
        _draw(ax, found, name, styles[place])
    ax.axhline(1, color="#666666", lw=0.8)
    log_axes(ax, sorted({m.n_train for found in worths.values() for m in found.multipliers}))
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}x")
    bottom = ax.get_ylim()[0]
    for place, found in enumerate(worths.values(), 1):
        _draw_open(ax, found, bottom, styles[place]["color"])
    ax.set_ylim(bottom=bottom)
    ax.set_xlabel("training images N")
    ax.set_ylabel("times the data that the baseline would need")
    place_legend(fig, ax, inside=True)
    return fig


def _draw(ax: Any, found: EffectiveData, name: str, style: Mapping[str, Any]) -> None:
    colour = style["color"]
    seen = [m for m in found.multipliers if m.value]
    ax.plot(
        [m.n_train for m in seen],
        [m.value for m in seen],
        lw=1.2,
        label=name,
        **style,
    )
    for m in found.multipliers:
        top = m.limit if m.high is None else m.high
        if m.low > 0:
            ax.plot([m.n_train] * 2, [m.low, top], color=colour, lw=1)
        if m.high is None:
            ax.plot([m.n_train], [top], marker="^", ms=8, mfc="none", color=colour)


def _draw_open(ax: Any, found: EffectiveData, bottom: float, colour: Any) -> None:
    """Draw intervals that begin at 0 down to the end of the logarithmic axis."""
    for m in found.multipliers:
        top = m.limit if m.high is None else m.high
        if m.low <= 0 < top:
            ax.plot([m.n_train] * 2, [bottom, top], color=colour, lw=1)
            ax.plot([m.n_train], [bottom], marker="v", ms=6, color=colour, clip_on=False)
