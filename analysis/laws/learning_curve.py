"""Learning curves, cleaned and sorted, with notes on omissions; and their windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.arrays import Floats

NEAR = 0.1  # assumed: log size by which a target may miss its ratio, half a step of coarse grids
LEAST = 4  # assumed: sizes in a window, two of a power law and two to test it


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Positive errors at distinct rising sizes; `notes` list what was left out or merged."""

    group: Mapping[str, object]
    x: Floats
    y: Floats
    se: Floats | None
    fitted: NDArray[np.bool_]  # False where a split holds the point out
    notes: tuple[str, ...] = ()
    limit: float = 0.0  # that of the test set where hardly an image was missed; else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The points of a prediction, and the later sizes that score it."""

    group: Mapping[str, object]
    x: Floats  # (N,) rising
    y: Floats
    se: Floats | None
    target_x: Floats  # (T,)
    target_y: Floats
    ratio: Floats  # (T,): the nominal ratio; NaN with a split

    @property
    def reach(self) -> Floats:
        """Return the ratio of each target to the largest size in the window (T,)."""
        reach: Floats = np.maximum(self.target_x / self.x[-1], 1.0)
        return reach


def make_series(
    group: Mapping[str, object],
    x: ArrayLike,
    y: ArrayLike,
    se: ArrayLike | None = None,
    split: ArrayLike | None = None,
) -> Series:
    """Return a curve sorted, without values that have no logarithm, repeated sizes averaged.

    A missing standard error, or one of 0, becomes the curve's median: equal counts are luck, not
    certainty.
    """
    columns = {"x": x, "y": y} | ({} if se is None else {"se": se})
    table = pd.DataFrame({name: np.asarray(v, float) for name, v in columns.items()})
    table["split"] = 1.0 if split is None else np.asarray(split, float)
    notes = []
    for name in ("x", "y"):
        bad = ~(np.isfinite(table[name]) & (table[name] > 0))
        if bad.any():
            zero = int((table[name] == 0).sum())
            what = f"{zero} of them 0, which has no logarithm" if zero else "missing or negative"
            notes.append(f"{int(bad.sum())} points left out: {name} not positive ({what})")
            table = table[~bad]
    sizes = table.groupby(["split", "x"])
    if len(sizes) < len(table):
        notes.append(f"{len(table) - len(sizes)} repeated sizes averaged, in logarithms")
    merged = np.log(table["y"]).groupby([table["split"], table["x"]]).mean().to_frame("log_y")
    merged = merged.assign(
        y=np.exp(merged["log_y"]),
        x=merged.index.get_level_values("x").to_numpy(),
        split=merged.index.get_level_values("split").to_numpy(),
    )
    if se is not None:
        known_se = table["se"].where(np.isfinite(table["se"]) & (table["se"] > 0))
        spread = (known_se**2).groupby([table["split"], table["x"]])
        merged["se"] = np.sqrt(spread.sum(min_count=1)) / spread.size()
        unknown = int(merged["se"].isna().sum())
        if unknown == len(merged):
            notes.append("no standard error is positive: taken as unknown")
        elif unknown:
            relative = (merged["se"] / merged["y"]).median()
            merged["se"] = merged["se"].fillna(relative * merged["y"])
            notes.append(f"{unknown} standard errors were 0 or missing: the curve's median is used")
    merged = merged.reset_index(drop=True).sort_values("x")
    known = se is not None and merged["se"].notna().all()
    return Series(
        group=dict(group),
        x=merged["x"].to_numpy(),
        y=merged["y"].to_numpy(),
        se=merged["se"].to_numpy() if known else None,
        fitted=merged["split"].to_numpy() == 1,
        notes=tuple(notes),
    )


def rolling_windows(
    series: Series, *, window: float, min_origin: float, ratios: Sequence[float]
) -> list[Window]:
    """Return windows that end at the last size up to min_origin * 2^j and span `window`.

    Windows without a target, or with fewer than LEAST sizes, are left out.
    """
    windows, x, ends = [], series.x, set()
    origin = min_origin
    while len(x) and origin < x[-1]:
        below = x[x <= origin * (1 + 1e-9)]
        origin *= 2
        if not len(below) or below[-1] in ends:
            continue
        end = below[-1]
        ends.add(end)
        inside = (x >= end / window * (1 - 1e-3)) & (x <= end)
        targets = [
            (ratio, at)
            for ratio in ratios
            for at in [int(np.argmin(np.abs(np.log(x / (ratio * end)))))]
            if abs(np.log(x[at] / (ratio * end))) <= NEAR and x[at] > end
        ]
        if inside.sum() >= LEAST and targets:
            nominal, at = map(np.array, zip(*targets, strict=True))
            windows.append(_window(series, inside, at, nominal.astype(float)))
    return windows


def split_window(series: Series) -> list[Window]:
    """Return the points marked for fitting as a window, with the others as its targets."""
    at = np.flatnonzero(~series.fitted)
    if series.fitted.sum() < LEAST or not len(at):
        return []
    return [_window(series, series.fitted, at, np.full(len(at), np.nan))]


def _window(
    series: Series, inside: NDArray[np.bool_], at: NDArray[np.intp], ratio: Floats
) -> Window:
    return Window(
        group=series.group,
        x=series.x[inside],
        y=series.y[inside],
        se=None if series.se is None else series.se[inside],
        target_x=series.x[at],
        target_y=series.y[at],
        ratio=ratio,
    )
