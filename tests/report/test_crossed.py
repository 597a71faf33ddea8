"""Test the interaction of width and data: found where it is planted, and only there."""

from pathlib import Path

import pytest
from simulated import fill_study

from analysis import load
from analysis.claims import gather_evidence
from analysis.report.sections import interaction
from jobs.studies import find_study
from scaling.study import Cell

SIZES = (7291, 50000)


def corners(cell: Cell) -> bool:
    return cell.n_train in SIZES and cell.width in (1, 4)


def product(cell: Cell) -> float:
    return 0.2 * (cell.n_train / 7291) ** -0.3 * cell.width**-0.3


def more_with_more(cell: Cell) -> float:
    return product(cell) * (0.5 if cell.n_train == SIZES[1] and cell.width == 4 else 1.0)


def rows_of(out: Path) -> list[dict[str, object]]:
    found = gather_evidence(load(out))
    return interaction.rows_of(found, found.cells.find("grid"))


@pytest.mark.parametrize("planted", [False, True])
def test_an_interaction_is_found_where_there_is_one(tmp_path: Path, planted: bool) -> None:
    truth = more_with_more if planted else product
    fill_study(tmp_path, find_study("grid"), truth, only=corners)
    rows = rows_of(tmp_path)
    assert [row["recipe"] for row in rows] == ["1989", "dropout_relu"]
    for row, said in zip(rows, interaction.sentences("grid", rows), strict=True):
        found = row["interaction"]
        assert (found["high"] < 0) == planted
        assert found["low"] < (-0.5 if planted else 0.0) < found["high"]
        assert ("more with more data" in said) == planted
        assert "7,291" in said
        assert "width 1 to 4" in said


def test_nothing_is_said_without_all_four_corners(tmp_path: Path) -> None:
    fill_study(
        tmp_path,
        find_study("grid"),
        product,
        only=corners,
        leave_out=lambda cell, _: cell.n_train == SIZES[0] and cell.width == 4,
    )
    assert rows_of(tmp_path) == []
