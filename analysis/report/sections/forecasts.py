"""Report forecasts beside later measurements, and the effective data of a recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.effects.decision_rules import depends_on_size
from analysis.forecasts.preregistered import score_forecasts
from analysis.laws.curves import LEVEL, Curve, curve_titles
from analysis.present.formatting import NONE, percent
from analysis.present.labels import labels
from analysis.present.legends import place_legend
from analysis.present.links import link, table_anchor
from analysis.present.style import log_axes, same_marker, styled
from analysis.report.sections.multiplier_plot import worth_figure
from analysis.report.sections.section import Data, Picture, Section, Table
from analysis.results.identity import OF_A_CURVE, only_one
from analysis.results.load import Results
from analysis.stats.bootstrap import zero_miss_limit
from analysis.stats.effective_data import EffectiveData, Multiplier, data_multipliers

BASELINE = "1989"
ORDER = ("recipe", "n_train", "cell_id")
FORECASTS, WORTH = "forecasts", "effective_data"
KEPT = (
    *("cell_id", "recipe", "dataset", "n_train", "width", "epochs", "made_at", "level"),
    *("error", "low", "high", "fitted_n_train", "actual", "inside", "log_error"),
)


def read_forecasts(results: Results) -> Data | None:
    """Return every forecast with its later measurement; None without forecasts."""
    found = sorted(score_forecasts(results), key=lambda row: tuple(row[n] for n in ORDER))
    facts = [row["facts"] for row in found]
    curves = [{k: v for k, v in each.items() if k not in OF_A_CURVE} for each in facts]
    named = zip(found, labels(facts, shown=("n_train",)), labels(curves), strict=True)
    rows = [
        {name: row[name] for name in KEPT} | {"title": title, "curve": curve}
        for row, title, curve in named
    ]
    judged = [row for row in rows if row["inside"] is not None]
    if not rows:
        return None
    return {
        "rows": rows,
        "judged": len(judged),
        "inside": sum(row["inside"] for row in judged),
        "level": rows[0]["level"],
    }


def measure_worth(curves: Sequence[Curve]) -> list[Data]:
    """Return the effective data of each curve that has a baseline of 1989 on its test images."""
    found, judged = [], []
    for curve in curves:
        base = only_one([other for other in curves if _is_base(other, curve)], like=curve)
        if base is not None and len(base.n_train) > 1:
            row = data_multipliers(
                *(base.n_train, base.replicates, curve.n_train, curve.replicates),
                least=curve.least,
                limit=zero_miss_limit(curve.n_test, LEVEL),
                baseline_none=base.thin,
                none=curve.thin,
            )
            verdict = depends_on_size(row.slope_interval)
            found.append({"recipe": curve.recipe, **asdict(row), "verdict": verdict})
            judged.append(curve)
    return [row | {"title": title} for row, title in zip(found, curve_titles(judged), strict=True)]


def _is_base(other: Curve, curve: Curve) -> bool:
    alike = ("dataset", "test_set_id", "split", "width", "model", "batch_size")
    return (
        _of_1989(other)
        and not _of_1989(curve)
        and all(other.fixed[name] == curve.fixed[name] for name in alike)
    )


def _of_1989(curve: Curve) -> bool:
    return curve.recipe == BASELINE and curve.is_built_in


def show_forecasts(data: Data) -> Section:
    text = (
        f"{link(str(data['inside']), table_anchor(FORECASTS))} of {data['judged']} cells that were"
        f" predicted before they were trained lie in their {100 * data['level']:.0f} % intervals."
    )
    table = Table(
        caption="Forecasts made before training, and the measured errors",
        columns=(
            *("recipe", "#training images", "predicted", "interval", "#measured"),
            *("inside", "fitted to sizes up to", "predicted on"),
        ),
        rows=tuple(
            (
                row["title"],
                f"{row['n_train']:,}",
                percent(row["error"]),
                f"{percent(row['low'])} to {percent(row['high'])}",
                NONE if row["actual"] is None else percent(row["actual"]),
                NONE if row["inside"] is None else "yes" if row["inside"] else "no",
                f"{max(row['fitted_n_train']):,}",
                row["made_at"][:16].replace("T", " "),
            )
            for row in data["rows"]
        ),
    )
    picture = Picture(
        name=FORECASTS,
        alt="Predicted test errors with their intervals, and measured test errors",
        caption="Bars: forecasts made before training, with intervals. Crosses: measured.",
    )
    return Section(
        title="Predicted and measured", text=(text,), tables=(table,), pictures=(picture,)
    )


@styled
def draw_forecasts(data: Data) -> Mapping[str, Figure]:
    fig = Figure(figsize=(6.4, 3.6), layout="constrained")
    ax = fig.subplots()
    curves = list(dict.fromkeys(row["curve"] for row in data["rows"]))
    styles = same_marker("s", len(curves))
    for number, (style, curve) in enumerate(zip(styles, curves, strict=True)):
        rows = [row for row in data["rows"] if row["curve"] == curve]
        aside = 1.03 ** (number - (len(curves) - 1) / 2)  # so that no bar hides another
        x, y = (np.array([row[name] for row in rows], float) for name in ("n_train", "error"))
        x *= aside
        ends = np.array([[row["low"], row["high"]] for row in rows]).T
        bars = np.abs(ends - y)
        ax.errorbar(x, y, yerr=bars, ls="", ms=5, capsize=3, label=curve, **style)
        known = [(aside * row["n_train"], row["actual"]) for row in rows if row["actual"]]
        if known:
            ax.plot(*zip(*known, strict=True), "x", ms=9, mew=1.8, color="black", zorder=4)
    log_axes(ax, sorted({row["n_train"] for row in data["rows"]}))
    ax.set_xlabel("training images")
    ax.set_ylabel("test error")
    place_legend(fig, ax, inside=True)
    return {FORECASTS: fig}


def show_worth(rows: Sequence[Data]) -> Section:
    table = Table(
        caption="How many times more data the recipe of 1989 would need for the same error",
        columns=("recipe", "#training images", "#times the data", "interval"),
        rows=tuple(
            (
                row["title"],
                f"{m['n_train']:,.0f}",
                f"more than {m['limit']:.2g}" if m["value"] is None else f"{m['value']:.2g}",
                f"above {m['low']:.2g}"
                if m["high"] is None
                else f"{m['low']:.2g} to {m['high']:.2g}",
            )
            for row in rows
            for m in row["multipliers"]
        ),
    )
    text = tuple(
        f"The data multiplier of “{row['title']}” against the number of images: {row['verdict']}."
        for row in rows
    )
    picture = Picture(
        name=WORTH,
        alt="Times the data that the recipe of 1989 would need, against training images",
        caption="Nothing is extrapolated: an arrow marks errors that the baseline never reaches.",
    )
    return Section(title="Effective data", text=text, tables=(table,), pictures=(picture,))


def draw_worth(rows: Sequence[Data]) -> Mapping[str, Figure]:
    return {WORTH: worth_figure({row["title"]: _worth(row) for row in rows})}


def _worth(row: Mapping[str, Any]) -> EffectiveData:
    return EffectiveData(
        multipliers=tuple(Multiplier(**m) for m in row["multipliers"]),
        slope=row["slope"],
        slope_interval=row["slope_interval"],
        level=row["level"],
    )
