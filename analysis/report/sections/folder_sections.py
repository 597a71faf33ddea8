"""The parts of the report that are of the whole folder and not of one study, in their order.

A part is one entry in WHOLE; what it is made of, one in `measure_whole`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from analysis.claims.claim import Evidence
from analysis.forecasts.outlook import measure_outlook
from analysis.laws.curves import Curve
from analysis.report.sections import benchmark, cost, engines, forecasts, frontier, future, outlook
from analysis.report.sections.section import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A part by its name on the page and by the numbers that it is made of."""

    id: str
    key: str
    show: Callable[[Any], Section]
    draw: Callable[[Any], Mapping[str, Figure]] = lambda _: {}
    there: Callable[[Any], bool] = bool  # whether these numbers have something to say


WHOLE = (
    Whole(
        id=forecasts.WORTH,
        key="worth",
        show=forecasts.show_worth,
        draw=forecasts.draw_worth,
    ),
    Whole(
        id=outlook.PROFILES,
        key="outlook",
        show=outlook.show_profiles,
        draw=outlook.draw_profiles,
        there=lambda data: bool(data["profiles"]),
    ),
    Whole(
        id=outlook.BACKTEST_COVERAGE,
        key="outlook",
        show=outlook.show_holding,
        draw=outlook.draw_holding,
        there=lambda data: bool(data["ahead"]),
    ),
    Whole(
        id=forecasts.FORECASTS,
        key="forecasts",
        show=forecasts.show_forecasts,
        draw=forecasts.draw_forecasts,
    ),
    Whole(id=engines.NAME, key="engines", show=engines.show),
    Whole(
        id=frontier.FRONTIER,
        key="frontier",
        show=frontier.show_frontier,
        draw=frontier.draw_frontier,
    ),
    Whole(id=benchmark.NAME, key="bench", show=benchmark.show, draw=benchmark.draw),
    Whole(id=cost.NAME, key="planning", show=cost.show),
    Whole(id=future.FUTURE, key="future", show=future.show, draw=future.draw),
)


def measure_whole(found: Evidence, curves: Sequence[Curve]) -> dict[str, Any]:
    """The numbers of these parts by their keys; None or empty where there is nothing to say."""
    results = found.results
    return {
        "worth": forecasts.measure_worth(curves),
        "outlook": measure_outlook(curves),
        "forecasts": forecasts.read_forecasts(results),
        "engines": engines.measure(results),
        "frontier": frontier.measure_frontier(found.cells),
        "bench": benchmark.read_bench(results.store),
        "planning": cost.measure(results),
        "future": found.future,
    }


def of_whole(numbers: Mapping[str, Any]) -> list[tuple[Whole, Any]]:
    """The parts that have something to say, each with its numbers."""
    return [(part, numbers[part.key]) for part in WHOLE if part.there(numbers[part.key])]
