"""How much wider an interval must be when it looks ahead: sd^2 + (k ln r)^2 at ratio r.

That the form is wrong shows nowhere in its own interval, so k is learned from other curves, whose
continuation is known. calibration.json holds what was learned, from what, and how well it held on
data sets that were left out.
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
FAR = 10.0  # times the largest size: as far as intervals are drawn, a little beyond RATIOS
RATIOS = (2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """The learned k of each form, and of each form without one data set of the bank."""

    k: Mapping[str, float]
    without: Mapping[str, Mapping[str, float]]  # by data set, by form
    aliases: Mapping[str, str]  # what the data sets are called in tables: the data set

    def widening(self, form: str, group: Mapping[str, object] | None = None) -> float:
        """The k for a form; a curve of the bank's own data is judged by what the others taught.

        Forms that were not tested (the joint ones) get that of a power law with a floor (assumed).
        """
        like = form if form in self.k else "power_law_floor"
        data_set = self.data_set(group)
        return self.k[like] if data_set is None else self.without[data_set][like]

    def data_set(self, group: Mapping[str, object] | None) -> str | None:
        """The bank's own data set that a curve is of, as far as its names tell."""
        for name, value in (group or {}).items():
            for known in (str(value), alias(name, value)):
                if known in self.aliases:
                    return self.aliases[known]
        return None


@cache
def read_bank(path: Path = FILE) -> Bank:
    """What was learned, from the project's own file."""
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
    """What names a data set in a table: a word by itself, a number only with its column."""
    word = isinstance(value, str) and not value.replace(".", "").isdigit()
    return str(value) if word else f"{column}={value}"


def quantile(level: float) -> float:
    """How many standard deviations an interval of this level reaches to either side."""
    return float(stats.norm.ppf((1 + level) / 2))


def widened(sd: ArrayLike, k: ArrayLike, reach: ArrayLike) -> Floats:
    """The sd of a log error at `reach` times the largest size that was fitted."""
    ahead = np.log(np.maximum(reach, 1.0))
    total: Floats = np.hypot(np.asarray(sd, float), np.asarray(k, float) * ahead)
    return total
