"""The widening of intervals in extrapolation: sd^2 + (k ln r)^2 at ratio r.

A form's own interval leaves out that the form is wrong, so k is learned from other curves, whose
continuation is known. calibration.json holds the k, the curves of the bank, and the coverage on
held-out data sets.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.arrays import Floats

FILE = Path(__file__).parent / "calibration.json"
LEVEL = 0.9
FAR = 10.0  # times the largest size: the limit of drawn intervals, a little beyond RATIOS
RATIOS = (2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """The learned k of each form, and of each form without one data set of the bank."""

    k: Mapping[str, float]
    without: Mapping[str, Mapping[str, float]]  # by data set, by form
    aliases: Mapping[str, str]  # a name in tables: its data set

    def widening(self, form: str, group: Mapping[str, object] | None = None) -> float:
        """Return the k for a form; for a curve of the bank, without its own data set.

        Forms that were not tested (the joint ones) have that of a power law with a floor (assumed).
        """
        like = form if form in self.k else "power_law_floor"
        data_set = self.data_set(group)
        return self.k[like] if data_set is None else self.without[data_set][like]

    def data_set(self, group: Mapping[str, object] | None) -> str | None:
        """Return the data set of the bank that the names of a curve match; None without one."""
        for name, value in (group or {}).items():
            for known in (str(value), alias(name, value)):
                if known in self.aliases:
                    return self.aliases[known]
        return None


@cache
def read_bank(path: Path = FILE) -> Bank:
    """Return the bank of the project's own file."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Bank(
        k={form: entry["k"] for form, entry in stored["forms"].items()},
        without={
            source["data_set"]: {
                form: entry["without"][source["data_set"]]
                for form, entry in stored["forms"].items()
            }
            for source in stored["bank"]
        },
        aliases={
            alias: source["data_set"] for source in stored["bank"] for alias in source["aliases"]
        },
    )


def alias(column: str, value: object) -> str:
    """Return the name of a data set in a table: a word by itself, a number with its column."""
    word = isinstance(value, str) and not value.replace(".", "").isdigit()
    return str(value) if word else f"{column}={value}"


def quantile(level: float) -> float:
    """Return the half-width of an interval of this level, in standard deviations."""
    return float(stats.norm.ppf((1 + level) / 2))


def widened_sd(sd: ArrayLike, k: ArrayLike, reach: ArrayLike) -> Floats:
    """Return the sd of a log error at `reach` times the largest fitted size."""
    ahead = np.log(np.maximum(reach, 1.0))
    total: Floats = np.hypot(np.asarray(sd, float), np.asarray(k, float) * ahead)
    return total
