"""The intervals of a fit where hardly a test image was missed: the test set limits them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.laws.fit_result import Fit
from analysis.stats.bootstrap import is_thin, zero_miss_limit


def limit_of(errors: Floats, n_test: int, level: float) -> float:
    """Return the limit of the test set where the mean of a size is below one miss; else 0."""
    thin = any(is_thin(error, n_test) for error in errors)
    return zero_miss_limit(n_test, level) if thin else 0.0


def floor_of(models: pd.DataFrame, level: float) -> float:
    """Return the limit of the test set where a model misses nothing; else 0."""
    missed = models["test_misses"].to_numpy()
    return 0.0 if missed.all() else zero_miss_limit(int(models["n_test"].iloc[0]), level)


def can_be_fitted(errors: Floats) -> bool:
    """Return whether two sizes have misses; a single one gives no slope."""
    return int(np.count_nonzero(errors)) > 1


def widen_to_limit(found: Fit, limit: float, floor: float = 0.0) -> Fit:
    """Return the fit with intervals widened to the limit of its test images.

    A floor lies between 0 and the limit; an exponent and its factor have no upper end, as the error
    may fall further than the images resolve. Where only some models missed nothing, the floor's
    upper end is at least `floor`.
    """
    if not limit:
        return _floored(found, floor)
    ends: dict[str, tuple[float | None, float | None]] = {}
    for name, (low, high) in found.intervals.items():
        least = found.params[name] if low is None else min(low, found.params[name])
        ends[name] = (least, high if name == "C" else None)  # C is given
    if found.form == "last_value":  # its A is an error, and bounded as one
        high = found.intervals["A"][1]
        ends["A"] = (0.0, max(limit, found.params["A"], high or 0.0))
    if "E" in ends:
        high = found.intervals["E"][1]
        ends["E"] = (0.0, max(limit, found.params["E"], high or 0.0))
    return replace(found, intervals=ends)


def _floored(found: Fit, floor: float) -> Fit:
    if not floor or "E" not in found.intervals:
        return found
    (low, high), value = found.intervals["E"], found.params["E"]
    known = None if high is None else max(high, value, floor)
    ends = (min(low or 0.0, value), known)
    return replace(found, intervals=found.intervals | {"E": ends})
