"""Numbers as text, in one format for every part of the report."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

NONE = "–"
WRITTEN_OUT = 1e6  # the least number to print as a power of ten
POWER = re.compile(r"(?<=\d)e([-+]\d+)\b")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
UNITS_OF_TIME = (  # least seconds for a unit, seconds of the unit, unit
    *((86_400.0, 86_400.0, "days"), (3600.0, 3600.0, "h"), (120.0, 60.0, "min"), (1.0, 1.0, "s")),
    *((1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs"), (1e-9, 1e-9, "ns")),
)


def percent(value: float | None, digits: int = 2) -> str:
    return "unknown" if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number to so many digits; a missing one is unbounded."""
    if value is None:
        return "unbounded"
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def interval(ends: Sequence[float | None], percent: bool = False) -> str:
    """Return an interval; an end of None is unbounded, and a lower end of 0 is left out."""
    show = _percent if percent else number
    low, high = ends
    if low is None and high is None:
        return "unbounded"
    if high is None:
        return f"above {show(low)}"
    if not high:
        return "0 in every replicate"
    if not low:
        return f"at most {show(high)}"
    return f"{show(low)} to {show(high)}"


def factor(value: float | None, ends: Sequence[float | None]) -> str:
    """Return a ratio of errors; of an error to no miss, its lower bound."""
    if value is not None:
        return number(value, 2)
    return "no misses to compare" if ends[0] is None else f"at least {number(ends[0], 2)}"


def count(value: float | None, digits: int = 0) -> str:
    """Return a count or a mean of counts; a dash where it is missing."""
    return NONE if value is None else f"{value:,.{digits}f}"


def ends(pair: Sequence[float] | None, digits: int = 0) -> str:
    return NONE if pair is None else f"{pair[0]:,.{digits}f} to {pair[1]:,.{digits}f}"


def change(row: Mapping[str, Any] | None) -> str:
    """Return an effect, as a row of claims.effect_row, as -12.3 % (-20.1 to -3.2 %).

    From a base without a miss, it is a lower bound.
    """
    if row is None:
        return NONE
    if row["change"] is None:  # no misses to begin with, or on neither side
        return f"at least {100 * row['low']:+.1f} %" if row["low"] > -1 else "no misses to compare"
    if row["high"] is None:
        return f"{100 * row['change']:+.1f} % (at least {100 * row['low']:+.1f} %)"
    return f"{100 * row['change']:+.1f} % ({100 * row['low']:+.1f} to {100 * row['high']:+.1f} %)"


def size(row: Mapping[str, Any]) -> float:
    """Return the size of a row's change; one from no miss at all is the largest."""
    return math.inf if row["change"] is None else abs(row["change"])


def p_value(value: float | None) -> str:
    """Return a p-value to two digits; a dash without a test."""
    if value is None:
        return NONE
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def done_of_planned(done: int, planned: int) -> str:
    """Return the number done, and of how many where some are missing."""
    return str(done) if done >= planned else f"{done} of {planned}"


def scientific(value: float) -> str:
    """Return a number as 6.9 × 10¹⁴; short ones stay as they are."""
    if not 1e-3 <= abs(value) < WRITTEN_OUT:
        return superscript_powers(f"{value:.1e}").removeprefix("1.0 × ")
    return number(value)


def superscript_powers(text: str) -> str:
    """Return the text with 7.3e+10 as 7.3 × 10¹⁰."""
    return POWER.sub(lambda found: f" × 10{str(int(found[1])).translate(RAISED)}", text)


def power_of_ten(value: float) -> str:
    """Return a power of ten as 10⁵, whatever its size."""
    return superscript_powers(f"{value:.0e}").removeprefix("1 × ")


def seconds(value: float) -> str:
    """Return a time in the largest unit that fits."""
    found = [(scale, unit) for least, scale, unit in UNITS_OF_TIME if value >= least]
    scale, unit = found[0] if found else UNITS_OF_TIME[-1][1:]
    return f"{value / scale:.3g} {unit}"


def yes(value: bool | None) -> str:
    return NONE if value is None else ("yes" if value else "no")


_percent = percent  # `interval` has a flag of this name
