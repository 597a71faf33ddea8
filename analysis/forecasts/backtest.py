"""The backtest of forecasts: every form predicts known errors, and is scored.

Baselines (last value, power law) are widened by the same procedure, each with its own k, so that
interval scores compare like with like.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.forecasts.calibration import make_cases
from analysis.forecasts.ensemble import CANDIDATES, COMBINED, forecast_windows
from analysis.laws.learning_curve import Series, Window, rolling_windows, split_window
from analysis.laws.widening import LEVEL, Bank, quantile, read_bank, widened_sd
from scaling.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """Rolling origins: windows of a factor `window`, up to min_origin * 2^j, and target ratios."""

    window: float = 8.0
    min_origin: float = 2048.0
    ratios: tuple[float, ...] = (2.0, 4.0, 8.0)

    def check(self) -> None:
        """Raise InputError for windows and ratios without a target."""
        if not self.window > 1 or not self.min_origin > 0 or not all(r > 1 for r in self.ratios):
            raise InputError(
                f"validate: got --window {self.window:g} --min-origin {self.min_origin:g} --ratios"
                f" {','.join(f'{r:g}' for r in self.ratios)}; window and ratios must exceed 1, the"
                " origin 0"
            )


def validate(
    curves: Sequence[Series],
    *,
    rolling: Rolling | None = None,
    split: bool = False,
    bank: Bank | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return scores of each form and ratio: {"rows", "default"}, and "notes" on omissions.

    A row's scores are of log errors: `bias` the mean of predicted less actual, `coverage` and
    `interval_score` of the widened interval, `coverage_before` of the nominal one.
    Raises InputError if no curve can be judged.
    """
    rolling, bank = rolling or Rolling(), bank or read_bank()
    rolling.check()
    how = {"window": rolling.window, "min_origin": rolling.min_origin, "ratios": rolling.ratios}
    by_curve = [split_window(c) if split else rolling_windows(c, **how) for c in curves]  # type: ignore[arg-type]
    windows = [window for found in by_curve for window in found]
    if not windows:
        wanted = (
            "4 sizes to fit (split 1) and one to test (split 0)"
            if split
            else f"4 sizes in a window that ends at {rolling.min_origin:g} or later, and a size"
            f" {' or '.join(f'{r:g}' for r in rolling.ratios)} times further (--window,"
            " --min-origin, --ratios)"
        )
        notes = "".join(f"; {_name(curve)}: {note}" for curve in curves[:3] for note in curve.notes)
        raise InputError(
            f"validate: none of {len(curves)} curves can be judged: each needs {wanted}{notes}"
        )
    forecasts = forecast_windows(windows, progress)
    cases = make_cases(windows, forecasts)
    progress(f"{len(curves)} curves, {len(windows)} windows, {len(cases)} forecasts scored")
    scored = score_cases(cases, windows, bank)
    return {
        "rows": _rows(scored, split=split),
        "default": COMBINED,
        "level": LEVEL,
        "curves": len(curves),
        "windows": len(windows),
        "notes": [*_notes(curves, by_curve), *_unknown(windows, bank)],
    }


def score_cases(cases: pd.DataFrame, windows: Sequence[Window], bank: Bank) -> pd.DataFrame:
    """Return the cases with the k of their curve, and the coverage and score of intervals."""
    z = quantile(LEVEL)
    k = [
        bank.widening(form, windows[window].group)
        for form, window in zip(cases["form"], cases["window"], strict=True)
    ]
    half = z * widened_sd(cases["sd"], np.hypot(k, cases["rate"]), cases["reach"])
    miss = cases["error"].abs()
    return cases.assign(
        k=k,
        half=half,
        square=cases["error"] ** 2,
        held=miss <= half,
        held_before=miss <= z * cases["sd"],
        # Gneiting & Raftery 2007, equation 43
        score=2 * half + 2 / (1 - LEVEL) * np.maximum(miss - half, 0),
    )


def _rows(scored: pd.DataFrame, *, split: bool) -> list[dict[str, Any]]:
    rows = []
    order = [*CANDIDATES, COMBINED]
    keys = ["form"] if split else ["form", "ratio"]
    for _, part in scored.groupby(keys, sort=True):
        if split:  # the mean over curves of each curve's score
            per_curve = part.groupby("window")
            rmsle = float(np.sqrt(per_curve["square"].mean()).mean())
            means = per_curve[["error", "held", "held_before", "score"]].mean().mean()
        else:
            rmsle = float(np.sqrt(part["square"].mean()))
            means = part[["error", "held", "held_before", "score"]].mean()
        rows.append(
            {
                "form": str(part["form"].iloc[0]),
                "ratio": None if split else float(part["ratio"].iloc[0]),
                "n": int(part["window"].nunique()) if split else len(part),
                "rmsle": rmsle,
                "bias": float(means["error"]),
                "coverage": float(means["held"]),
                "coverage_before": float(means["held_before"]),
                "interval_score": float(means["score"]),
                "k": float(part["k"].mean()),
            }
        )
    return sorted(rows, key=lambda row: (row["ratio"] or 0, order.index(row["form"])))


def _notes(curves: Sequence[Series], by_curve: Sequence[Sequence[Window]]) -> list[str]:
    """Return notes on omissions, curve by curve."""
    notes = [f"{_name(curve)}: {note}" for curve in curves for note in curve.notes]
    short = [_name(c) for c, found in zip(curves, by_curve, strict=True) if not found]
    if short:
        notes.append(f"{len(short)} curves too short to be judged: {', '.join(short)}")
    return notes


def _unknown(windows: Sequence[Window], bank: Bank) -> list[str]:
    """Return a note on curves of which the bank that taught k may have copies."""
    names = {tuple(map(str, w.group.values())) for w in windows if bank.data_set(w.group) is None}
    if not names:
        return []
    return [
        f"{len(names)} curves are judged with the k of the whole bank: if they are the bank's own"
        " under other names, their coverage is too good (group by the columns that name the data"
        " set)"
    ]


def _name(curve: Series) -> str:
    return " ".join(map(str, curve.group.values())) or "the curve"
