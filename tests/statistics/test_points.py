"""Test users' files of points: an unusable one is one line, with the remedy."""

import gzip
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobs.cli.main import main

SIZES = [1, 2, 4, 8, 16, 32]
ERRORS = [0.5, 0.4, 0.3, 0.25, 0.2, 0.18]
TABLE = pd.DataFrame({"x": SIZES, "y": ERRORS, "s": 0.01})
GOOD = "x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(SIZES, ERRORS, strict=True))


def write(path: Path, content: object) -> str:
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return str(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "cannot be read as CSV or Parquet (No columns"),
        ("latin.csv", (GOOD + "9,ä").encode("latin-1"), "not in UTF-8"),
        ("words.csv", GOOD + "64,few\n", "column y must hold numbers, got 'few'"),
        ("ragged.csv", GOOD + "64,0.1,0.2\n", "cannot be read as CSV or Parquet"),
        ("zeros.csv", "x,y\n1,0\n2,0\n4,0\n8,0\n", "4 of them 0, which has no logarithm"),
        ("few.csv", "x,y\n1,0.5\n2,0.4\n", "2 sizes for the 3 parameters"),
        ("column.csv", GOOD.replace("y", "error"), "no column y: they have x, error"),
        ("yes.csv", "x,y\n1,True\n2,True\n4,True\n", "must hold numbers, got 'True'"),
        (
            "twice.csv",
            GOOD.replace("x,y", "x,y,y").replace("\n", ",1\n").replace("y,y,1", "y,y"),
            "column y twice",
        ),
        ("index.csv", GOOD.replace(",0.", ",9,0."), "Length of header or names does not match"),
        (
            "torn.csv.gz",
            gzip.compress(GOOD.encode(), mtime=0)[:-12],
            "cannot be read as CSV or Parquet",
        ),
        ("torn.zip", b"PK", "cannot be read as CSV or Parquet"),
        ("torn.parquet", b"PAR1 and then nothing", "cannot be read as CSV or Parquet"),
        (
            "dates.parquet",
            pd.DataFrame({"x": pd.date_range("2020", periods=6), "y": ERRORS}),
            "column x must hold numbers, got '2020-01-01",
        ),
    ],
)
def test_a_bad_file_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: object, said: str
) -> None:
    path = write(tmp_path / name, content)
    for command in ("fit", "validate"):
        assert main([command, "--points", path, "--x", "x", "--y", "y"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert said in err or (command == "validate" and name == "few.csv")


def test_an_interval_that_is_unknown_is_not_called_unbounded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three points for three parameters leave no degree of freedom for the noise."""
    path = write(tmp_path / "p.csv", "".join(GOOD.splitlines(keepends=True)[:4]))
    assert main(["fit", "--points", path, "--x", "x", "--y", "y"]) == 0
    out = capsys.readouterr().out
    assert out.count("unknown, with no point to spare") == 3
    assert "unbounded" not in out
    assert "touches 0" not in out


def test_points_that_are_left_out_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame({"x": [*SIZES, 64, np.inf], "y": [*ERRORS, -0.1, 0.1]})
    path = write(tmp_path / "p.parquet", table)
    assert main(["fit", "--points", path, "--x", "x", "--y", "y"]) == 0
    out = capsys.readouterr().out
    assert "1 points left out: x is not positive" in out
    assert "1 points left out: y is not positive" in out
    assert "on 6 points" in out


def test_a_column_serves_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "p.csv", GOOD)
    assert main(["fit", "--points", path, "--x", "x", "--y", "x"]) == 2
    assert "column x is given twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words.parquet", TABLE.astype(str)),
        ("decimals.parquet", TABLE.map(lambda value: Decimal(str(value)))),
        ("whole.parquet", TABLE.astype({"x": "Int64"})),
        ("upper.PARQUET", TABLE),
        ("short.pq", TABLE),
        ("commas.csv", TABLE.to_csv(index=False).replace("\n", ",\n")),
    ],
)
def test_numbers_are_read_however_they_are_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: object
) -> None:
    said = []
    for path in (
        write(tmp_path / "plain.csv", TABLE.to_csv(index=False)),
        write(tmp_path / name, content),
    ):
        assert main(["fit", "--points", path, "--x", "x", "--y", "y", "--se", "s"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
