"""Test the report by study: every section exists, prints its own numbers, and survives gaps."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from printed import unknown_numbers
from simulated import N_TEST, fill_study
from truths import STUDIES, few, truth

from analysis import load, report
from analysis.api import predict_cells
from analysis.claims import gather_evidence, judge_all
from analysis.effects.decision_rules import CONTRADICTED, SUPPORTED
from analysis.present.links import strip_links
from analysis.present.style import change_label
from analysis.report.sections.claims_table import show_claims
from analysis.report.sections.registry import BY_KIND, STUDY_SECTIONS, measure_studies
from jobs.studies import find_study, names
from scaling.analyses import ScalingCurve
from scaling.older_plans import READ_AS
from scaling.store.store import Store
from scaling.study import Cell


def images_of(source: str, test_set_id: str, n_test: int) -> tuple[np.ndarray, np.ndarray]:
    assert test_set_id == f"{source}@1-test{n_test}"
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (n_test, 16, 16)), rng.integers(0, 10, n_test)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("whole")
    for study in STUDIES.values():
        fill_study(out, study, truth, seeds=range(2), only=few)
    return out, report(out, test_images=images_of)


def test_every_part_has_its_figure_and_its_heading(whole: tuple[Path, dict[str, Any]]) -> None:
    out, numbers = whole
    text, page = (out / "report.md").read_text(), (out / "report.html").read_text()
    assert {data["study"] for data in numbers["sections"]} == STUDIES.keys()
    assert numbers["curves"] == []
    for name in STUDIES:
        assert f'<h2 id="{name}">' in page
    for name in (*STUDIES, "digits"):
        assert (out / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert f"figures/{name}.png" in text
    assert (numbers["future"], numbers["frontier"]) == (None, None)  # no curves, and two widths
    assert page.count("<img") == len(STUDIES) + 1
    assert "{" not in re.sub(r"<style>.*?</style>|base64,[^\"]*", "", page, flags=re.S)
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", page).lower())
    assert json.loads((out / "numbers.json").read_text()) == numbers


def test_the_whole_text_prints_no_other_number(whole: tuple[Path, dict[str, Any]]) -> None:
    text = (whole[0] / "report.md").read_text().replace(str(whole[0]), "out")  # has its own digits
    assert unknown_numbers(text, whole[1]) == []


def test_every_link_of_the_page_leads_to_a_row(whole: tuple[Path, dict[str, Any]]) -> None:
    page = (whole[0] / "report.html").read_text()
    ids = re.findall(r' id="([^"]+)"', page)
    links = re.findall(r' href="#([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    parts = {link.partition("-")[0] for link in links if "-" in link}
    assert parts >= {"ladder", "ablation", "claims", "screening", "grid"}
    assert "](#" not in page + (whole[0] / "report.md").read_text()


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_that_is_printed_is_in_numbers_json(
    whole: tuple[Path, dict[str, Any]], study: str
) -> None:
    """This holds in prose, tables and captions, up to rounding, apart from levels and margins."""
    data = next(d for d in whole[1]["sections"] if d["study"] == study)
    section = BY_KIND[data["analysis"]["kind"]].show(data)
    printed = [*section.text, *(picture.caption for picture in section.pictures)]
    for table in section.tables:
        printed += [table.caption, *table.columns, *(cell for row in table.rows for cell in row)]
    text = strip_links("\n".join(printed)).replace("below 0", "")
    assert unknown_numbers(text, data) == []
    assert len(unknown_numbers(text, {})) > 3


def test_the_ladder_compares_each_published_run(whole: tuple[Path, dict[str, Any]]) -> None:
    rows = next(d for d in whole[1]["sections"] if d["study"] == "ladder")["rows"]
    assert [row["published"] for row in rows] == [82, 88, 72, 44, 32, 55, 25]
    for row in rows:
        assert row["mean_drawn"] == pytest.approx(np.mean(row["misses"]) * 2007 / N_TEST)
        low, high = row["one_run"]
        assert row["inside"] == (low <= row["published"] <= high)
        assert high - low > row["interval_drawn"][1] - row["interval_drawn"][0]


def test_the_zip_codes_are_compared_with_the_papers_own_misses(
    whole: tuple[Path, dict[str, Any]],
) -> None:
    data = next(d for d in whole[1]["sections"] if d["study"] == "zipcode")
    compared = [row for row in data["rows"] if row["published"] == 102]
    assert {row["what"] for row in compared} >= {"1989 as reproduced", "second-order method"}
    assert all(row["published_train"] == 10 for row in compared)
    assert not any(row["published"] for row in data["rows"] if row["what"] == "+ AdamW")
    assert len(data["suspects"]) == len(data["rows"]) - 1


def test_digits_that_are_missed_have_label_and_prediction(
    whole: tuple[Path, dict[str, Any]],
) -> None:
    data = whole[1]["digits"]
    _, labels = images_of("mnist", f"mnist@1-test{N_TEST}", N_TEST)
    assert data["recipe"] == "ema"  # the best of the simulated ones
    for digit in data["digits"]:
        assert digit["label"] == labels[digit["index"]]
        assert digit["prediction"] != digit["label"]
        assert digit["missed_by"] >= 1


def _one_seed(out: Path) -> None:
    for study in STUDIES.values():
        fill_study(out, study, truth, seeds=(0,), only=few)


def _nothing_yet(out: Path) -> None:
    for study in STUDIES.values():
        fill_study(out, study, truth, seeds=range(2), only=few, leave_out=lambda *_: True)


def _a_third(out: Path) -> None:
    for study in STUDIES.values():
        fill_study(
            out, study, truth, seeds=range(2), only=few,
            leave_out=lambda cell, seed: (len(cell.recipe.name) + seed + cell.n_train) % 3 > 0,
        )  # fmt: skip


def _all_failed(out: Path) -> None:
    study = STUDIES["ladder"]
    fill_study(out, study, truth, seeds=(0,), leave_out=lambda *_: True)
    plan = Store(out).read_plans()["ladder"]
    for cell in plan["cells"]:
        for member in cell["members"]:
            row = {"cell_id": cell["cell_id"], "run_id": member["run_id"], "kind": "numeric"}
            Store(out).write_failure({**row, "error": "weights are not finite"})


@pytest.mark.parametrize("fill", [_nothing_yet, _all_failed])
def test_it_survives_what_is_missing(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    fill(tmp_path)
    numbers = report(tmp_path, test_images=images_of)
    page = (tmp_path / "report.html").read_text()
    assert 'id="ladder"' in page
    assert "not trained yet" in page or "weights are not finite" in page
    assert numbers["digits"] is None
    assert all(row["p"] is None for row in numbers["claims"])


@pytest.mark.parametrize("fill", [_one_seed, _a_third])
def test_every_part_survives_few_models(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    """Figures are not written, as that takes long."""
    fill(tmp_path)
    found = gather_evidence(load(tmp_path))
    for data in measure_studies(found):
        kind = BY_KIND[data["analysis"]["kind"]]
        section, figures = kind.show(data), kind.draw(data)
        assert {picture.name for picture in section.pictures} == figures.keys()
        assert "nan" not in repr(section)
    rows = judge_all(found)
    if fill is _one_seed:
        decided = {SUPPORTED, CONTRADICTED} & {row["verdict"] for row in rows if row["id"] != "C1"}
        assert not decided


def test_without_images_there_is_no_figure_of_digits(tmp_path: Path) -> None:
    fill_study(tmp_path, STUDIES["ladder"], truth, seeds=range(2))
    assert report(tmp_path, test_images=lambda *_: None)["digits"] is None
    assert 'id="digits"' not in (tmp_path / "report.html").read_text()


def test_a_model_of_two_studies_is_counted_once(tmp_path: Path) -> None:
    fill_study(tmp_path, STUDIES["ladder"], truth, seeds=range(3))
    fill_study(tmp_path, STUDIES["revisit"], truth, seeds=range(2))
    results = load(tmp_path)
    shared = [c for c in results.cells if c["recipe"]["name"] == "dropout_relu"]
    assert sorted(len(cell["members"]) for cell in shared) == [3, 3]  # of 50,000 and 7,291 images
    assert results.counts() == {"cells": 12, "finished": 12, "failed": 0, "missing": 0}


def test_every_built_in_study_says_how_it_is_read() -> None:
    studies = [find_study(name) for name in names()]
    assert all(study.analyses for study in studies)
    shown = {type(analysis) for study in studies for analysis in study.analyses}
    assert shown <= {*STUDY_SECTIONS, ScalingCurve}


def test_plans_of_before_are_read_as_their_studies_are_now() -> None:
    assert {name: find_study(name).analyses for name in names()} == READ_AS


def test_a_factorial_needs_every_combination_that_was_planned(tmp_path: Path) -> None:
    """Half of the combinations, without one trick, look like a whole factorial of the others."""
    lacks = "adamw"
    fill_study(
        tmp_path,
        STUDIES["ablation"],
        truth,
        seeds=range(2),
        leave_out=lambda cell, _: lacks in [name for name, _ in cell.recipe.tricks],
    )
    (data,) = measure_studies(gather_evidence(load(tmp_path)))
    assert (data["missing"], data["combinations"], data["n_tricks"]) == (16, 32, 5)
    assert data["tricks"] == []
    assert "16 of 32 combinations" in BY_KIND["Factorial"].show(data).text[0]


BENCH = [
    {
        "engine": engine, "recipe": recipe, "width": width, "us": us * width, "loop_us": 800.0,
        "us_range": [us, us * 9], "ratio": 800 / us, "floor_us": None, "floor_ratio": None,
        "machine": "a machine",
    }
    for engine, us in (("compiled", 3.0), ("population", 40.0))
    for recipe in ("1989", "dropout_relu")
    for width in (1, 2)
]  # fmt: skip


def test_a_benchmark_in_the_folder_is_shown(tmp_path: Path) -> None:
    fill_study(tmp_path, find_study("ladder"), truth, seeds=range(2), only=few)
    (tmp_path / "bench.json").write_text(json.dumps(BENCH))
    numbers = report(tmp_path)
    assert numbers["bench"]["seconds"] == pytest.approx(3e-6 * 23 * 7291)
    text = (tmp_path / "report.md").read_text()
    assert "take 0.503 s of one core" in text
    assert "| population | 2022 (all tricks) | 2 | 80 | 40 to 360 | 800 | 20 | – | – |" in text
    assert (tmp_path / "figures" / "throughput.png").exists()
    (tmp_path / "bench.json").write_text("[{}]")
    numbers = report(tmp_path)
    assert numbers["bench"] is None
    assert "bench.json cannot be read (0.engine is missing)" in numbers["torn"][0]


def test_a_benchmark_of_one_speed_is_drawn(tmp_path: Path) -> None:
    """Its axes have a few labels, and none is a formula."""
    fill_study(tmp_path, find_study("ladder"), truth, seeds=range(2), only=few)
    (tmp_path / "bench.json").write_text(json.dumps([BENCH[0] | {"us": 31.0, "loop_us": 31.5}]))
    report(tmp_path)
    text = (tmp_path / "figures" / "throughput.svg").read_text()
    assert {"20", "50"} <= set(re.findall(r">(\d+)</text>", text))


def test_what_was_predicted_stands_beside_what_came(tmp_path: Path) -> None:
    """In this truth the tricks halve the error, which falls as n^-0.4."""
    study = find_study("data")

    def half(cell: Cell) -> float:
        return 0.25 * (cell.n_train / 911) ** -0.4 * (0.5 if cell.recipe.name != "1989" else 1)

    few_seeds = {"seeds": range(3), "seed_sd": 0.01}
    fill_study(tmp_path, study, half, leave_out=lambda c, _: c.n_train > 20_000, **few_seeds)  # type: ignore[arg-type]
    results = load(tmp_path)
    predict_cells(results, results.plans["data"], wanted=(), fit_to=None)
    before = report(tmp_path)["forecasts"]
    assert (len(before["rows"]), before["judged"]) == (6, 0)
    fill_study(tmp_path, study, half, **few_seeds)  # type: ignore[arg-type]
    numbers = report(tmp_path)
    after = numbers["forecasts"]
    assert after["judged"] == 6
    assert after["inside"] >= 4
    (worth,) = numbers["worth"]
    multiplier = {m["n_train"]: m["value"] for m in worth["multipliers"]}
    assert multiplier[3646] == pytest.approx(2 ** (1 / 0.4), rel=0.25)
    assert multiplier[60000] is None  # the baseline never gets there
    text, page = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    assert f"{after['inside']} of 6 cells that were predicted before they were trained" in text
    assert "| more than 1 | above 1 |" in text
    assert 'id="forecasts"' in page
    assert 'id="effective_data"' in page


def test_a_claim_leads_only_to_a_part_that_is_there() -> None:
    row = {"id": "C18", "claim": "c", "verdict": SUPPORTED, "figure": "f", "p": None}
    rows = [
        row | {"study": study, "section": section, "p_holm": None}
        for study, section in (("data", None), ("ladder", "ladder"))
    ]
    (table,) = show_claims(rows).tables
    assert [cells[3] for cells in table.rows] == ["f", "f [→ ladder](#ladder)"]


def test_claims_that_nothing_was_run_for_are_by_the_command_that_would() -> None:
    row = {"claim": "c", "figure": "f", "p": None, "p_holm": None, "study": None, "section": None}
    verdicts = {"C1": "not run: scaling sweep ladder", "C2": SUPPORTED, "C3": "not finished: x"}
    rows = [row | {"id": claim, "verdict": verdict} for claim, verdict in verdicts.items()]
    judged, left = show_claims([*rows, rows[0] | {"id": "C4"}]).tables
    assert [cells[0] for cells in judged.rows] == ["C2", "C3"]
    assert left.rows == (("`scaling sweep ladder`", "C1 c; C4 c"),)


def test_ticks_of_changes_say_what_they_are() -> None:
    said = [change_label(value) for value in (-0.075, -0.05, 1e-12, 0.025, 0.1)]
    assert said == ["−7.5 %", "−5 %", "0 %", "+2.5 %", "+10 %"]
