"""Report floors and exponents of the curves, and the coverage of their forecasts."""

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis.forecasts.ensemble import COMBINED
from analysis.laws.widening import RATIOS
from analysis.present.formatting import percent
from analysis.present.legends import place_legend, row_labels
from analysis.present.style import same_marker, styled
from analysis.report.sections.section import Data, Picture, Section, Table

PROFILES, BACKTEST_COVERAGE = "profiles", "holding"
TITLES = {COMBINED: "all forms together", "power_law": "power law", "last_value": "last value"}
MOST_ROWS = 16  # of our own forecasts in the forest: those furthest ahead
PARAMETERS = {"alpha": "exponent α", "E": "floor E"}


def show_profiles(data: Data) -> Section:
    level = f"{100 * data['level']:.0f} %"
    rows = tuple(
        (row["curve"], *(_interval(row[name], name) for name in PARAMETERS))
        for row in data["profiles"]
    )
    bounded = sum(row["E"]["upper_bound"] for row in data["profiles"])
    text = (
        f"Power law with a floor, `E + A / n^α`; {level} intervals by profile likelihood with the"
        " covariance of images and seeds. A floor whose interval touches 0 is an upper bound"
        f" ({bounded} of {len(rows)} here)."
    )
    table = Table(caption="Floor and exponent", columns=("curve", *PARAMETERS.values()), rows=rows)
    picture = Picture(
        name=PROFILES,
        alt="Profile likelihood of the exponent and of the floor",
        caption=f"Loss of likelihood at each value: 0 at the best fit; the {level} interval is"
        " where the curve lies below the line.",
    )
    return Section(title="Floor and exponent", text=(text,), tables=(table,), pictures=(picture,))


def _interval(row: Data, name: str) -> str:
    def shown(value: float | None) -> str:
        return "unbounded" if value is None else percent(value) if name == "E" else f"{value:.2f}"

    if row["upper_bound"] and name == "E":
        if row["high"] is None:
            return "not bounded"
        return f"at most {shown(row['high'])}"
    return f"{shown(row['value'])} ({shown(row['low'])} to {shown(row['high'])})"


@styled
def draw_profiles(data: Data) -> Mapping[str, Figure]:
    fig = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = fig.subplots(1, 2, sharey=True)
    styles = same_marker("o", len(data["profiles"]))
    for ax, (name, title) in zip(axes, PARAMETERS.items(), strict=True):
        for style, row in zip(styles, data["profiles"], strict=True):
            trace = np.array(row[name]["trace"])
            ax.plot(*trace.T, lw=1.4, label=row["curve"], markevery=[], **style)
            ax.plot(row[name]["value"], 0, ms=5, clip_on=False, **style)
        ax.axhline(1, color="#666666", lw=0.9, ls="--")
        ax.set_ylim(0, 2)
        ax.set_yticks([0, 1], ["best fit", f"{100 * data['level']:.0f} % interval"])
        ends = [value for row in data["profiles"] for value in _ends(row[name])]
        pad = 0.15 * (max(ends) - min(ends))
        ax.set_xlim(max(min(ends) - pad, 0), max(ends) + pad)
        ax.set_xlabel(title)
        ax.grid(visible=True)
    axes[1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    place_legend(fig, axes[0], where="outside upper left", size=9)
    return {PROFILES: fig}


def _ends(row: Data) -> list[float]:
    passed = [value for value, rise in row["trace"] if rise <= 1]
    return [
        value for value in (row["low"], row["high"], row["value"], *passed) if value is not None
    ]


def show_coverage(data: Data) -> Section:
    level, holding = f"{100 * data['level']:.0f} %", data["holding"]
    ours = holding["ours"]
    held = sum(row["held"] for row in ours)
    text = [
        f"Rolling origin: a window of {holding['window']:g} times in size predicts"
        f" {', '.join(f'{r:g}' for r in RATIOS)} times further. The bank holds published curves of"
        f" others ({', '.join(holding['sources'])}); each of its data sets is judged with the k"
        " that was fitted to the others."
    ]
    if ours:
        text.append(
            f"{held} of {len(ours)} forecasts within this study's own curves lie in their {level}"
            " intervals. They share images, seeds and sizes, so they are not independent."
        )
    rows = tuple(
        (
            TITLES[form],
            f"{holding['forms'][form]['k']:.3f}",
            *(_coverage(holding["forms"][form]["coverage"][f"{r:g}"]) for r in RATIOS),
        )
        for form in TITLES
    )
    table = Table(
        caption=f"Coverage of nominal {level} intervals on the bank, before → after widening",
        columns=("form", "#k", *(f"#{r:g} times ahead" for r in RATIOS)),
        rows=rows,
    )
    picture = Picture(
        name=BACKTEST_COVERAGE,
        alt="Errors of forecasts of each data set, and the coverage of their intervals by ratio",
        caption="Left: predicted against measured error; for the bank's data sets the median and"
        f" the middle {level} of all forecasts; below them this study's forecasts, each with its"
        " widened interval, which should reach 0. Right: coverage, dashed before and solid after"
        " widening.",
    )
    return Section(
        title="Coverage of the forecasts", text=tuple(text), tables=(table,), pictures=(picture,)
    )


def _coverage(before_after: Sequence[float]) -> str:
    return " → ".join(f"{100 * share:.0f} %" for share in before_after)


def _change(log_ratio: float, _: int) -> str:
    return f"{100 * np.expm1(log_ratio):+.0f} %" if abs(log_ratio) > 1e-6 else "0"


@styled
def draw_coverage(data: Data) -> Mapping[str, Figure]:
    holding = data["holding"]
    bank = [
        (f"{name}, {ratio}×", row["log_error"])
        for name, by_ratio in holding["forms"][COMBINED]["by_data_set"].items()
        for ratio, row in by_ratio.items()
        if ratio != "ahead"
    ]
    ours = sorted(holding["ours"], key=lambda row: (-row["ratio"], row["curve"]))[:MOST_ROWS]
    height = 0.6 + 0.2 * (len(bank) + len(ours))
    fig = Figure(figsize=(7.4, max(height, 3.6)), layout="constrained")
    forest, shares = fig.subplots(1, 2, width_ratios=(1.5, 1))
    labels = []
    for at, (label, (low, middle, high)) in enumerate(bank):
        forest.plot([low, high], [at, at], color="#8a8a8a", lw=2.2, solid_capstyle="butt")
        forest.plot(middle, at, "o", ms=4, color="#444444")
        labels.append(label)
    colour = sns.color_palette("colorblind")[0]
    if ours:
        forest.axhline(len(bank) - 0.5, color="#bbbbbb", lw=0.8)
        labels_of = ((-0.4, "other people's curves"), (len(bank) - 0.4, "this study's"))
        for top, words in labels_of:
            forest.annotate(
                words,
                (0.01, top),
                xycoords=("axes fraction", "data"),
                va="top",
                fontsize=8,
                color="#666666",
            )
    for at, row in enumerate(ours, len(bank)):
        forest.errorbar(
            row["log_error"], at, xerr=row["half_width"], fmt="s", ms=4, lw=1.2, color=colour
        )
        labels.append(f"{row['curve']}, {row['ratio']:g}× from {row['from']:,.0f}")
    forest.axvline(0, color="#666666", lw=0.9)
    forest.set_yticks(range(len(labels)), row_labels(fig, labels, 7.5), fontsize=7.5)
    forest.invert_yaxis()
    forest.xaxis.set_major_formatter(FuncFormatter(_change))
    forest.xaxis.set_major_locator(FixedLocator(list(np.log([0.25, 0.5, 1, 1.5, 2.5, 4]))))
    forest.set_xlabel("predicted error against measured")
    forest.grid(visible=True, axis="x")
    for number, (form, title) in enumerate(TITLES.items()):
        by_ratio = holding["forms"][form]["coverage"]
        before, after = np.array([by_ratio[f"{r:g}"] for r in RATIOS]).T
        shade = sns.color_palette("colorblind")[(0, 1, 2)[number]]
        shares.plot(RATIOS, after, "o-", ms=4, color=shade, label=title)
        shares.plot(RATIOS, before, "o--", ms=4, mfc="white", lw=1, color=shade)
    shares.axhline(data["level"], color="#666666", lw=0.9)
    shares.set_xscale("log")
    shares.xaxis.set_major_locator(FixedLocator(list(RATIOS)))
    shares.xaxis.set_minor_locator(NullLocator())
    shares.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    shares.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    shares.set_ylim(0, 1.02)
    shares.set_xlabel("times the largest size")
    shares.set_ylabel(f"intervals of {100 * data['level']:.0f} % that held")
    shares.grid(visible=True)
    shares.legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1, 0.55))
    return {BACKTEST_COVERAGE: fig}
