"""Return the tables about 2055: forms, trends with their backtests, and sources."""

from collections.abc import Mapping
from typing import Any

from analysis.present.formatting import NONE, percent, scientific, seconds, yes
from analysis.report.sections.section import Data, Table


def table_of_forms(curve: Data) -> Table:
    far = curve["far"]
    return Table(
        caption=f"“{curve['title']}” at {scientific(far['n_train'])} images by form; each interval"
        " as if that form were true",
        columns=("form", "#p of all sizes", "#p of last octave", "rejected", "#there", "interval"),
        rows=tuple(
            (
                form["title"],
                _p(form["p_fit"]),
                _p(form["p_held_out"]),
                "not tested" if form["p"] is None else yes(form["rejected"]),
                percent(form["error"]),
                NONE
                if form["low"] is None
                else f"{percent(form['low'])} to {percent(form['high'])}",
            )
            for form in far["forms"]
        ),
    )


def table_of_trends(data: Data) -> Table:
    return Table(
        caption=f"Scenarios of {data['ahead']} from {data['network']}, each with its backtest from"
        f" {data['then']}; misses in orders of magnitude, positive where the outcome was larger",
        columns=(
            *("quantity", "trend", "orders a year", f"in {data['ahead']}", "#missed"),
            *("inside", "#years seen", "#cited fits missed", "#their intervals held"),
        ),
        rows=tuple(
            (
                found["name"],
                _title(row),
                _rate(row["rate"]),
                f"{scientific(row['value'])}{_ends(row['low'], row['high'])}",
                _signed(row["test"]["missed"]),
                yes(row["test"]["inside"]),
                _share(row["test"]["seen"]),
                _signed(found["cited"]["missed"]),
                _share(found["cited"]["coverage"]),
            )
            for found in data["outlooks"]
            for row in found["scenarios"]
        ),
    )


def table_of_times(data: Data) -> Table:
    return Table(
        caption="One training of 1989 by each trend of hardware; backtest: 3 days in 1989,"
        f" extrapolated to {data['now']}, against the measured 90 s (positive: slower"
        " than forecast)",
        columns=(
            *("trend", "orders a year", f"3 days by {data['now']}", "#missed", "inside"),
            *("#years seen", f"3 days by {data['ahead']}", f"90 s by {data['ahead']}"),
            f"ours by {data['ahead']}",
        ),
        rows=tuple(
            (
                _title(row),
                _rate(row["rate"]),
                seconds(row["test"]["projected"]),
                _signed(row["test"]["missed"]),
                yes(row["test"]["inside"]),
                _share(row["test"]["seen"]),
                *(_span(row[name]) for name in ("three_days", "ninety", "measured")),
            )
            for row in data["times"]
        ),
    )


def table_of_sources(data: Data) -> Table:
    """Return each source once, with the trends and backtests from it."""
    of: dict[str, list[str]] = {}
    for found in data["outlooks"]:
        for row in found["scenarios"]:
            of.setdefault(row["source"], []).append(f"{found['name']}: {_title(row)}")
        cited = found["cited"]["source"]
        of.setdefault(cited, []).append(f"{found['name']}: fits to systems before 1990")
    for row in data["times"]:
        of.setdefault(row["source"], []).append(_title(row))
    return Table(
        caption="Sources of the trends and of the cited backtests",
        columns=("source", "trends and backtests"),
        rows=tuple((source, "; ".join(names)) for source, names in of.items()),
        wraps=True,
    )


def _title(row: Mapping[str, Any]) -> str:
    return f"{row['name']}, {row['years'].replace('-', '–')}"


def _signed(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def _rate(rate: Mapping[str, Any]) -> str:
    ends = "" if rate["low"] is None else f" ({rate['low']:.3f} to {rate['high']:.3f})"
    return f"{rate['value']:.3f}{ends}"


def _ends(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f" ({scientific(low)} to {scientific(high)})"


def _span(span: Mapping[str, Any] | None) -> str:
    if span is None:
        return NONE
    if span["low"] is None:
        return seconds(span["value"])
    return f"{seconds(span['value'])} ({seconds(span['low'])} to {seconds(span['high'])})"


def _share(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.0f} %"
