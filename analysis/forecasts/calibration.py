"""The widening k of a form, learned from forecasts whose continuation is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.forecasts.ensemble import Forecast
from analysis.laws.learning_curve import Window
from analysis.laws.widening import LEVEL, RATIOS, quantile


def make_cases(
    windows: Sequence[Window], forecasts: Sequence[Mapping[str, Forecast]]
) -> pd.DataFrame:
    """Return a row for each window, form and target: log error of the forecast, and its sd."""
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
    """Return the least k with nominal coverage at each of RATIOS, on average over data sets.

    `cases` are of one form, with a column `data_set`. Every data set, and in it every window, has
    the same weight. (Measured: pooled over ratios, the intervals covered 84 % at a ratio of 8.)
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
