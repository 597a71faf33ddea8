"""Test the claims table: verdicts for a known truth, and for studies that were not run."""

import csv
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from printed import unknown_numbers
from simulated import fill_study
from truths import OTHERS, truth

from analysis import load
from analysis.claims import CLAIMS, any_run, gather_evidence, judge_all
from analysis.effects.decision_rules import CONTRADICTED, SUPPORTED, UNDECIDED, UNKNOWABLE
from jobs.studies import find_study
from scaling.study import Cell

TESTED = [f"C{i}" for i in range(1, 22)]
OF_FACTS = {"C14", "C15", "C16"}  # they rest on no study


def needed(cell: Cell) -> bool:
    """Return whether claims rest on a cell, for studies with many more cells."""
    if cell.dataset == "usps":
        return cell.n_train in (10, 911, 7291)
    of_1989 = cell.recipe.name == "1989" and cell.recipe.epochs in (20, 40, 80, 160)
    return cell.split == "none" or (of_1989 and cell.n_train == 7291)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    out = tmp_path_factory.mktemp("claims")
    for name in ("ladder", "epochs", "negative", "norms", "transfer", "revisit", "width"):
        fill_study(out, find_study(name), truth, seeds=range(6), seed_sd=0.02, only=needed)
    for study in OTHERS:
        fill_study(out, study, truth, seeds=range(6), seed_sd=0.02)
    return {row["id"]: row for row in judge_all(gather_evidence(load(out)))}


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("C1", SUPPORTED),
        ("C2", "undecided: not run"),
        ("C3", CONTRADICTED),  # the simulated training misses are the same for all
        ("C4", SUPPORTED),
        ("C5", SUPPORTED),
        ("C6", SUPPORTED),
        ("C7", SUPPORTED),
        ("C8", SUPPORTED),
        ("C9", SUPPORTED),
        ("C12", SUPPORTED),
        ("C13", SUPPORTED),
        ("C14", UNKNOWABLE),
        ("C15", UNKNOWABLE),
        ("C16", UNKNOWABLE),
        ("C17", SUPPORTED),
        ("C18", "not run: scaling sweep data"),
        ("C19", "not run: scaling sweep grid"),
        ("C20", SUPPORTED),
        ("C21", CONTRADICTED),  # label smoothing was made harmful
    ],
)
def test_the_verdict_is_that_of_the_truth(
    rows: dict[str, dict[str, Any]], claim: str, verdict: str
) -> None:
    assert rows[claim]["verdict"] == verdict, rows[claim]["figure"]


def test_every_claim_of_this_part_has_a_row_in_order(rows: dict[str, dict[str, Any]]) -> None:
    assert list(rows) == TESTED


def test_holm_never_makes_a_p_value_smaller(rows: dict[str, dict[str, Any]]) -> None:
    tested = [row for row in rows.values() if row["p"] is not None]
    assert len(tested) > 8
    assert all(row["p_holm"] >= row["p"] for row in tested)
    assert all(row["holds_after_holm"] == (row["p_holm"] < 0.1) for row in tested)


def test_every_number_of_a_sentence_is_among_its_values(rows: dict[str, dict[str, Any]]) -> None:
    for row in rows.values():
        assert unknown_numbers(row["figure"], row["values"]) == [], row["id"]
    assert sum(len(unknown_numbers(row["figure"], {})) for row in rows.values()) > 50


def test_what_was_not_run_says_how_to_run_it(tmp_path: Path) -> None:
    fill_study(tmp_path, replace(find_study("ladder"), name="mine"), truth, seeds=range(2))
    rows = judge_all(gather_evidence(load(tmp_path)))
    assert not any_run(rows)
    for row in rows:
        if row["id"] != "C2" and row["id"] not in OF_FACTS:
            assert row["verdict"] == f"not run: scaling sweep {CLAIMS[row['id']].study}" or (
                row["id"] == "C7" and row["verdict"] == "not run: scaling sweep ladder"
            )


def test_what_is_not_finished_and_one_seed_decide_nothing(tmp_path: Path) -> None:
    fill_study(
        tmp_path,
        find_study("ladder"),
        truth,
        seeds=range(3),
        leave_out=lambda cell, seed: (
            cell.recipe.name == "adamw" or (cell.n_train > 7291 and seed > 0)
        ),
    )
    rows = {row["id"]: row for row in judge_all(gather_evidence(load(tmp_path)))}
    assert any_run(list(rows.values()))
    assert rows["C4"]["verdict"] == rows["C6"]["verdict"] == "not finished: scaling sweep ladder"
    assert rows["C11"]["verdict"] != "not finished: scaling sweep ladder"
    assert rows["C12"]["verdict"] == UNDECIDED
    assert rows["C7"]["verdict"] == "not run: scaling sweep negative"


def test_a_search_that_does_not_halve_the_error_shows_nothing(tmp_path: Path) -> None:
    fill_study(tmp_path, OTHERS[0], lambda _: 0.05, seeds=range(4))
    rows = {row["id"]: row for row in judge_all(gather_evidence(load(tmp_path)))}
    assert rows["C17"]["verdict"] == UNKNOWABLE


def test_claims_are_quoted_as_the_reference_has_them() -> None:
    folder = os.environ.get("SCALING_REFERENCE_DIR", "")
    if not (folder and Path(folder).is_dir()):
        pytest.skip("needs the reference claims: SCALING_REFERENCE_DIR names no folder")
    with (Path(folder) / "claims.csv").open(newline="") as file:
        texts = {row["id"]: row["claim"] for row in csv.DictReader(file)}
    for claim in CLAIMS.values():
        words = re.findall(r"\w+", texts[claim.id])
        assert set(re.findall(r"\w+", claim.text)) <= {*words}, claim.id
