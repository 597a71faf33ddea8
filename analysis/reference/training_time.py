"""Training times of 1989, of 2022 and of this study, carried on to 2055 by trends of hardware.

The work stays 23 passes over 7,291 digits; only the machine gets cheaper. Our own seconds are far
below the 90 of 2022 on a similar machine by software, which no trend of hardware foresees.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from analysis.reference.facts import Rate, fact
from analysis.reference.trends import (
    AHEAD,
    HARDWARE,
    NAMES,
    NOW,
    THEN,
    Backtest,
    backtest_trend,
    project,
)
from analysis.results.cell_results import Cells
from analysis.results.identity import USUAL

RECIPE, SIZE, EPOCHS = "1989", 7291, 23  # cited: the training that took three days


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSeconds:
    """Our own seconds of one core for the training of 1989, with their year and engine."""

    seconds: float
    year: float
    engine: str
    runs: int
    faster: float  # than the 90 s of 2022
    by_hardware: tuple[float, float]  # the speed-up since by trends of hardware


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Seconds, with the ends of the trend's own interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeScenario:
    """One trend of hardware: its backtest, and each training's seconds in 2055."""

    name: str
    years: str
    source: str
    rate: Rate
    test: Backtest
    three_days: Span
    ninety: Span
    measured: Span | None
    drawn: bool


def time_scenarios(measured: MeasuredSeconds | None) -> list[TimeScenario]:
    """Return a row for each trend of hardware; `measured` is None without our own seconds."""
    first, second = fact("train_wallclock", "1989").value, fact("train_wallclock", "2022").value
    found = []
    for trend, drawn in HARDWARE:
        known = fact(trend)
        found.append(
            TimeScenario(
                name=NAMES[trend],
                years=known.year,
                source=known.source,
                rate=known.rate,
                test=backtest_trend(known, first, second, NOW - THEN, sign=-1),
                three_days=_shrink(first, known.rate, AHEAD - THEN),
                ninety=_shrink(second, known.rate, AHEAD - NOW),
                measured=None
                if measured is None
                else _shrink(measured.seconds, known.rate, AHEAD - measured.year),
                drawn=drawn,
            )
        )
    return found


def measured_seconds(cells: Cells) -> MeasuredSeconds | None:
    """Return the seconds of one core for the training of 1989, of the cell with most models."""
    best = max(_trainings(cells), key=len, default=None)
    if best is None:
        return None
    made = pd.to_datetime(best["created_at"]).max()
    year, seconds = made.year + (made.day_of_year - 1) / 365, float(best["cpu_s"].median())
    since = [project(1.0, fact(trend).rate.value, year - NOW) for trend, _ in HARDWARE]
    return MeasuredSeconds(
        seconds=seconds,
        year=year,
        engine=", ".join(sorted(set(best["engine"]))),
        runs=len(best),
        faster=fact("train_wallclock", "2022").value / seconds,
        by_hardware=(min(since), max(since)),
    )


def _trainings(cells: Cells) -> Iterator[pd.DataFrame]:
    for study in cells.studies:
        for cell in cells.find(study, recipe=RECIPE, n_train=SIZE, epochs=EPOCHS, width=1.0):
            timed = cell.models[cell.models["cpu_s"] > 0]
            if len(timed) and cell.is_built_in and cell.model == USUAL:
                yield timed


def _shrink(seconds: float, rate: Rate, years: float) -> Span:
    slow, fast = (
        None if end is None else project(seconds, -end, years) for end in (rate.low, rate.high)
    )
    return Span(value=project(seconds, -rate.value, years), low=fast, high=slow)
