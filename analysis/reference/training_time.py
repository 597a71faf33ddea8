"""What 3 days, 90 seconds and our own seconds become by 2055 if hardware goes on as it has.

The work stays what it was, 23 passes over 7,291 digits; only the machine gets cheaper. That our
own seconds are so far below 90 on a machine of the same kind is software, which no trend of
hardware foresees.
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
    project,
    put_to_test,
)
from analysis.results.cell_results import Cells
from analysis.results.identity import USUAL

RECIPE, SIZE, EPOCHS = "1989", 7291, 23  # cited: the training that took three days


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Our own seconds of one core for the training of 1989: when, by which engine."""

    seconds: float
    year: float
    engine: str
    runs: int
    faster: float  # than the 90 s of 2022
    by_hardware: tuple[float, float]  # how much faster the trends of hardware have it since


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Seconds, with the ends that the trend's own interval gives."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeScenario:
    """One trend of hardware: the test, and each training's seconds in 2055."""

    name: str
    years: str
    source: str
    rate: Rate
    test: Backtest
    three_days: Span
    ninety: Span
    measured: Span | None
    drawn: bool


def time_scenarios(measured: Seconds | None) -> list[TimeScenario]:
    """A row for each trend of hardware; without our own measurement that column is empty."""
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
                test=put_to_test(known, first, second, NOW - THEN, sign=-1),
                three_days=_shrunk(first, known.rate, AHEAD - THEN),
                ninety=_shrunk(second, known.rate, AHEAD - NOW),
                measured=None
                if measured is None
                else _shrunk(measured.seconds, known.rate, AHEAD - measured.year),
                drawn=drawn,
            )
        )
    return found


def measured_seconds(cells: Cells) -> Seconds | None:
    """Seconds of one core for 1989's training, by the cell with most models; None without one."""
    best = max(_trainings(cells), key=len, default=None)
    if best is None:
        return None
    made = pd.to_datetime(best["created_at"]).max()
    year, seconds = made.year + (made.day_of_year - 1) / 365, float(best["cpu_s"].median())
    since = [project(1.0, fact(trend).rate.value, year - NOW) for trend, _ in HARDWARE]
    return Seconds(
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


def _shrunk(seconds: float, rate: Rate, years: float) -> Span:
    slow, fast = (
        None if end is None else project(seconds, -end, years) for end in (rate.low, rate.high)
    )
    return Span(value=project(seconds, -rate.value, years), low=fast, high=slow)
