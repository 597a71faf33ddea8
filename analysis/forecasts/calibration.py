"""How much wider an interval must be when it looks ahead: sd^2 + (k ln r)^2 at ratio r.

That the form is wrong shows nowhere in its own interval, so k is learned from other curves, whose
continuation is known. calibration.json holds what was learned, from what, and how well it held on
data sets that were left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.forecasts.ensemble import Forecast
from analysis.laws.equations import Floats
from analysis.laws.learning_curve import Window

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


def make_cases(
    windows: Sequence[Window], forecasts: Sequence[Mapping[str, Forecast]]
) -> pd.DataFrame:
    """A row for each window, form and target: log error of the forecast, and its sd."""
    rows: list[dict[str, Any]] = []
    for index, (window, by_form) in enumerate(zip(windows, forecasts, strict=True)):
        truth, reach = np.log(window.target_y), window.reach
        for name, forecast in by_form.items():
            rows.extend(
                {
                    "window": index,
                    "form": name,
                    "ratio": window.ratio[t],
                    "reach": reach[t],
                    "error": forecast.mean[t] - truth[t],
                    "sd": forecast.sd[t],
                    "rate": forecast.rate,
                }
                for t in range(len(truth))
            )
    return pd.DataFrame(rows)


def learn_k(cases: pd.DataFrame, level: float = LEVEL) -> float:
    """The least k with which intervals hold at each of RATIOS, on average over data sets.

    `cases` are of one form, with a column `data_set`. Every data set, and in it every window,
    weighs the same. Pooled over ratios instead, the intervals held 84 % at a ratio of 8 (measured).
    """
    ahead = np.log(np.maximum(cases["reach"].to_numpy(), 1.01))
    missing = (cases["error"].to_numpy() / quantile(level)) ** 2 - cases["sd"].to_numpy() ** 2
    needed = np.sqrt(np.maximum(missing / ahead**2 - cases["rate"].to_numpy() ** 2, 0))
    nearest = np.abs(ahead[:, None] - np.log(RATIOS)).argmin(axis=1)
    found = [0.0]
    for ratio in range(len(RATIOS)):
        here = nearest == ratio
        if here.any():
            part = cases[here]
            share = 1 / part.groupby(["data_set", "window"])["form"].transform("size")
            share /= share.groupby(part["data_set"]).transform("sum")
            order = np.argsort(needed[here], kind="stable")
            sums = np.cumsum(share.to_numpy()[order])
            at = min(int(np.searchsorted(sums, level * sums[-1])), len(order) - 1)
            found.append(float(needed[here][order[at]]))
    return max(found)
