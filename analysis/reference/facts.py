"""Cited figures with unit, year and source: the inputs of the scenarios for 2055."""

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "facts.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Growth in orders of magnitude a year; the ends are of its source's interval, if it has one.

    The interval is of the fitted slope, not of a forecast.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One cited figure. `year` may be a range: of the systems to which a trend was fitted."""

    quantity: str
    year: str
    value: float
    unit: str
    low: float | None
    high: float | None
    source: str

    @property
    def rate(self) -> Rate:
        """Return a trend's growth. Raises ValueError for a unit that is not of growth."""
        ends = [self.value, self.low, self.high]
        if self.unit == "OOM/yr":
            return Rate(value=self.value, low=self.low, high=self.high)
        if self.unit not in YEARS_OF:
            raise ValueError(f"{self.quantity} is in {self.unit}, which is no rate of growth")
        value, high, low = (  # the shorter the time, the faster
            None if years is None else math.log10(2) / (years * YEARS_OF[self.unit])
            for years in ends
        )
        assert value is not None
        return Rate(value=value, low=low, high=high)

    @property
    def years(self) -> tuple[float, float] | None:
        """Return the first and last year of a trend's systems; None without them in the source."""
        ends = self.year.split("-")
        return (float(ends[0]), float(ends[1])) if len(ends) > 1 else None


YEARS_OF = {"yr doubling": 1.0, "months per halving": 1 / 12}


@cache
def facts() -> dict[tuple[str, str], Fact]:
    """Return every figure of the project's table, by quantity and year."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {
            (row["quantity"], row["year"]): Fact(
                quantity=row["quantity"],
                year=row["year"],
                value=float(row["value"]),
                unit=row["unit"],
                low=float(row["low"]) if row["low"] else None,
                high=float(row["high"]) if row["high"] else None,
                source=row["source"],
            )
            for row in csv.DictReader(file)
        }


def fact(quantity: str, year: str | None = None) -> Fact:
    """Return the figure of this name, and year if given. Raises KeyError unless it is one."""
    found = [f for key, f in facts().items() if key[0] == quantity and year in (None, key[1])]
    if len(found) != 1:
        raise KeyError(f"{len(found)} facts are {quantity} of {year or 'any year'}")
    return found[0]
