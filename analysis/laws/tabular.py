"""Fits of a user's points, a row for each group; a failed fit has its reason in its row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.laws.fit import DELTA, fit
from analysis.laws.forms import Form, find_form
from analysis.laws.points import as_numbers, read_points, split_groups
from scaling.errors import InputError


def fit_points(
    path: str,
    *,
    x: str,
    y: str,
    x2: str | None = None,
    se: str | None = None,
    group: Sequence[str] = (),
    form: str | None = None,
    objective: str | None = None,
    delta: float = DELTA,
    ceiling: float | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each combination of the group columns; `notes` list omitted points.

    Raises InputError for an invalid file, and where no group can be fitted.
    """
    chosen = find_form(form or ("additive" if x2 else "power_law_floor"))
    if (x2 is not None) != (chosen.variables == 2):
        raise InputError(
            f"form {chosen.name} is of {chosen.variables} variable(s):"
            f" {'leave out --x2' if x2 else 'give --x2 COL'}, or choose another --form"
        )
    sizes = [x, x2] if x2 else [x]
    numbers = [*sizes, y, *([se] if se else [])]
    table = as_numbers(path, read_points(path, [*numbers, *group]), numbers)
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for named, part in split_groups(table, group):
        kept, notes = _usable(part, [*sizes, y], sizes)
        errors = _errors(kept[se], kept[y], notes) if se else None
        try:
            found = fit(
                kept[sizes].T.to_numpy(float),
                kept[y],
                errors,
                form=chosen.name,
                objective=objective,
                delta=delta,
                ceiling=ceiling,
            )
        except InputError as error:
            refused.append("; ".join([*notes, str(error)]))
            rows.append(_failed(chosen, named, len(kept), [*notes, str(error)]))
            continue
        rows.append(found.as_row(named) | {"notes": notes})
    if len(refused) == len(rows):
        raise InputError(
            f"points {path}: no curve can be fitted; {refused[0] if refused else 'it has no rows'}"
        )
    return rows


def _usable(
    part: pd.DataFrame, positive: Sequence[str], sizes: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Return the points that have a logarithm, and notes on the others."""
    notes = []
    for column in positive:
        values = part[column].to_numpy()
        good = np.isfinite(values) & (values > 0)
        if not good.all():
            zeros = int((values == 0).sum())
            what = f", {zeros} of them 0, which has no logarithm" if zeros else ""
            notes.append(f"{int((~good).sum())} points left out: {column} is not positive{what}")
            part = part[good]
    repeated = int(part.duplicated(list(sizes)).sum())
    if repeated:
        notes.append(f"{repeated} points repeat a size; each counts as a point of its own")
    return part, notes


def _errors(se: pd.Series, y: pd.Series, notes: list[str]) -> pd.Series | None:
    """Return standard errors; missing ones and 0 become the median relative one, with a note."""
    good = np.isfinite(se) & (se > 0)
    if not good.any():
        notes.append("no standard error is positive: taken as unknown")
        return None
    if not good.all():
        notes.append(
            f"{int((~good).sum())} standard errors were 0 or missing: the curve's median is used"
        )
        se = se.where(good, (se / y)[good].median() * y)
    return se


def _failed(
    form: Form, group: dict[str, object], n_points: int, notes: list[str]
) -> dict[str, Any]:
    return {
        "group": group,
        "form": form.name,
        "objective": None,
        "status": "failed",
        "n_points": n_points,
        "x_range": [None, None],
        "params": dict.fromkeys(form.names),
        "intervals": {name: [None, None] for name in form.names},
        "level": None,
        "notes": notes,
    }
