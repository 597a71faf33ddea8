"""Anybody's points: a CSV or Parquet file with a size, an error and perhaps its standard error."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.fit import Fit, fit
from analysis.forms import FORMS
from scaling.errors import InputError


def read_points(path: str, columns: Sequence[str]) -> pd.DataFrame:
    """The table with these columns present. Raises InputError if it cannot be read or lacks one."""
    file = Path(path)
    if not file.exists():
        raise InputError(f"points {path}: no such file")
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (ValueError, OSError) as error:
        raise InputError(f"points {path} cannot be read as CSV or Parquet ({error})") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(
            f"points {path} have no column {', '.join(missing)}: they have"
            f" {', '.join(map(str, table.columns))}"
        )
    return table


def fit_points(
    path: str, *, x: str, y: str, se: str | None = None, group: Sequence[str] = (), form: str
) -> list[tuple[dict[str, object], Fit]]:
    """A fit for each combination of the group columns that has sizes enough.

    Raises InputError for a bad file and where no group has sizes enough.
    """
    table = read_points(path, [x, y, *([se] if se else []), *group])
    groups = table.groupby(list(group), sort=False) if group else [((), table)]
    enough = [
        (dict(zip(group, key if isinstance(key, tuple) else (key,), strict=True)), rows)
        for key, rows in groups
        if form not in FORMS or rows[x].nunique() >= len(FORMS[form].names)
    ]
    if not enough:
        raise InputError(f"points {path}: no curve with {len(FORMS[form].names)} sizes for {form}")
    return [
        (named, fit(rows[x], rows[y], rows[se] if se else None, form=form))
        for named, rows in enough
    ]
