"""Anybody's points: a CSV or Parquet file with a size, an error and perhaps its standard error."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from analysis.series import Series, make_series
from scaling.errors import InputError


def read_points(path: str, columns: Sequence[str]) -> pd.DataFrame:
    """The table with these columns present. Raises InputError if it cannot be read or lacks one."""
    file = Path(path)
    if not file.exists():
        raise InputError(f"points {path}: no such file")
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except UnicodeDecodeError as error:
        raise InputError(f"points {path} is not in UTF-8 ({error}): save it as UTF-8") from error
    except (ValueError, OSError) as error:
        raise InputError(f"points {path} cannot be read as CSV or Parquet ({error})") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(
            f"points {path} have no column {', '.join(missing)}: they have"
            f" {', '.join(map(str, table.columns))}"
        )
    return table


def split_groups(
    table: pd.DataFrame, group: Sequence[str]
) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """The rows of each combination of the group columns, in the order of the file."""
    if not group:
        yield {}, table
        return
    for key, rows in table.groupby(list(group), sort=False, dropna=False):
        yield dict(zip(group, key, strict=True)), rows


def read_series(
    path: str,
    *,
    x: str,
    y: str,
    se: str | None = None,
    group: Sequence[str] = (),
    split: str | None = None,
) -> list[Series]:
    """The cleaned curve of each group. Raises InputError for a file without numbers in it."""
    named = [x, y, *([se] if se else []), *([split] if split else [])]
    table = read_points(path, [*named, *group])
    check_numbers(path, table, named)
    if split and not table[split].isin([0, 1]).all():
        raise InputError(f"points {path}: column {split} must be 1 (to fit) or 0 (to test)")
    return [
        make_series(
            named_group, rows[x], rows[y], rows[se] if se else None, rows[split] if split else None
        )
        for named_group, rows in split_groups(table, group)
    ]


def check_numbers(path: str, table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises InputError where a column holds words, dates, or yes and no."""
    for column in columns:
        if table[column].dtype.kind in "bMm":
            raise InputError(
                f"points {path}: column {column} must hold numbers, got '{table[column].iloc[0]}'"
            )
        bad = table[column][pd.to_numeric(table[column], "coerce").isna() & table[column].notna()]
        if len(bad):
            raise InputError(
                f"points {path}: column {column} must hold numbers, got '{bad.iloc[0]}'"
            )
