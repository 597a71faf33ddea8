"""Test the section on 2055: the arithmetic of trends, their backtests, the forms, the text."""

import copy
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from printed import unknown_numbers
from simulated import fill_study
from truths import truth

from analysis import load
from analysis.claims import CLAIMS, Evidence, gather_evidence
from analysis.effects.decision_rules import CONTRADICTED, SUPPORTED, UNKNOWABLE
from analysis.forecasts.far_future import main_curves, project_2055, project_curve
from analysis.forecasts.form_tests import try_forms
from analysis.laws.curves import Curve
from analysis.present.formatting import scientific, seconds, superscript_powers
from analysis.present.links import strip_links
from analysis.reference.facts import Fact, Rate
from analysis.reference.training_time import MeasuredSeconds, measured_seconds, time_scenarios
from analysis.reference.trends import backtest_trend, growth_outlooks
from analysis.report.numbers import plain
from analysis.report.sections.future import draw, show
from analysis.results.cell_results import Cells
from analysis.results.load import Results
from analysis.stats.bootstrap import Summary
from jobs.studies import find_study

SIZES = np.array([911, 1823, 3646, 7291, 14582, 29164, 50000, 60000])
N_TEST = 10_000


def curve(errors: np.ndarray, sizes: np.ndarray = SIZES, seeds: int = 5, sd: float = 0.03) -> Curve:
    """Return a curve of these errors, with noise of this size in every cell."""
    rng = np.random.default_rng(0)
    drawn = errors * np.exp(rng.normal(0, sd, (1000, len(sizes))))
    return Curve(
        fixed={"dataset": "mnist", "test_set_id": "mnist@1", "recipe": "dropout_relu"},
        n_train=tuple(map(int, sizes)),
        summaries=tuple(
            Summary(error=e, n_seeds=seeds, se_test=sd * e, se_seed=sd * e, low=e, high=e)
            for e in map(float, errors)
        ),
        models=pd.DataFrame({"n_test": [N_TEST] * len(sizes)}),
        replicates=drawn,
    )


WITH_FLOOR = curve(0.012 + 6 * SIZES**-0.75)
NO_FLOOR = curve(0.9 * SIZES**-0.4)
ONE_SEED = curve(0.9 * SIZES**-0.4, seeds=1)
DRAWN_DIGITS = curve(0.9 * SIZES[:4] ** -0.4, SIZES[:4])
DRAWN_DIGITS.fixed["dataset"] = "strokes"


def trend(rate: float, years: str, low: float | None = None, high: float | None = None) -> Fact:
    return Fact(
        quantity="trend", year=years, value=rate, unit="OOM/yr", low=low, high=high, source="me"
    )


def test_a_trend_is_tested_on_what_came() -> None:
    """Ten times in ten years from 100 is 1,000; the outcome is 10,000."""
    found = backtest_trend(trend(0.1, "1979-1994", 0.05, 0.15), 100.0, 10_000.0, 10)
    assert found.projected == pytest.approx(1000)
    assert found.missed == pytest.approx(1)
    assert found.inside is False
    assert found.seen == pytest.approx(0.5)  # 1989 to 1994 of 1989 to 1999
    assert backtest_trend(trend(0.1, "1960-1989", 0.05, 0.2), 100.0, 10_000.0, 10).inside
    assert backtest_trend(trend(0.1, "1960-1989"), 100.0, 10_000.0, 10).seen == 0
    assert backtest_trend(trend(0.1, "historical"), 100.0, 10_000.0, 10).seen is None
    falls = backtest_trend(trend(0.1, "1960-1989", 0.05, 0.2), 100.0, 5.0, 10, sign=-1)
    assert (falls.projected, falls.inside) == (pytest.approx(10), True)
    assert falls.missed == pytest.approx(math.log10(0.5))


def test_every_trend_has_its_back_test_beside_it() -> None:
    found = {growth.name: growth for growth in growth_outlooks()}
    cited = {name: (g.cited.missed, g.cited.coverage) for name, g in found.items()}
    assert cited == {"parameters": (4.5, 0.05), "data": (6.9, 0.06), "compute": (8.2, 0.0)}
    for growth in found.values():
        for one in growth.scenarios:
            assert one.value == pytest.approx(growth.now * 10 ** (34 * one.rate.value))
            assert one.test.projected == pytest.approx(growth.then * 10 ** (32 * one.rate.value))
            assert one.test.actual == growth.now
    old = next(s for s in found["compute"].scenarios if s.years == "1952-2010")
    assert old.test.missed > 6  # the one trend that ends before deep learning falls short
    assert old.test.inside is False


def test_training_times_shrink_as_hardware_grows() -> None:
    own = MeasuredSeconds(
        seconds=1.0, year=2025.0, engine="e", runs=3, faster=90.0, by_hardware=(1, 2)
    )
    for row in time_scenarios(own):
        assert row.ninety.value == pytest.approx(90 / 10 ** (33 * row.rate.value))
        assert row.three_days.value == pytest.approx(259_200 / 10 ** (66 * row.rate.value))
        assert row.measured is not None
        assert row.measured.value == pytest.approx(10 ** (-30 * row.rate.value))
        if row.ninety.low is not None:
            assert row.ninety.low < row.ninety.value < (row.ninety.high or 0)
    again = next(row for row in time_scenarios(None) if row.years == "1989-2022")
    assert again.measured is None
    assert again.test.missed == pytest.approx(0, abs=1e-9)
    assert again.ninety.value == pytest.approx(90 / 2880)


def test_the_forms_that_cannot_be_are_rejected_and_the_true_one_is_not() -> None:
    rejected = {one.form: one.rejected for one in try_forms(WITH_FLOOR)}
    assert rejected["last_value"]
    assert rejected["power_law"]
    assert not rejected["power_law_floor"]
    assert not {one.form: one.rejected for one in try_forms(NO_FLOOR)}["power_law"]
    assert not any(one.rejected for one in try_forms(ONE_SEED))  # with one seed nothing is known
    assert all(one.p is None for one in try_forms(ONE_SEED))


def test_a_form_that_fits_is_rejected_for_what_it_did_not_foresee() -> None:
    """A floor that shows only in the last octave: before it the power law is exact."""
    late = curve(np.where(SIZES > 30_000, 0.03, 0.9 * SIZES**-0.4), sd=0.02)
    (law,) = (one for one in try_forms(late) if one.form == "power_law")
    assert law.p_held_out is not None
    assert law.p_held_out < 1e-6


@pytest.fixture(scope="module")
def looked() -> dict[str, Any]:
    return project_curve(WITH_FLOOR)


def test_far_away_the_set_is_all_that_the_forms_allow(looked: dict[str, Any]) -> None:
    found = looked
    far = found["far"]
    assert far["n_train"] == 7291e7
    kept = [form for form in far["forms"] if not form["rejected"]]
    assert far["kept"] == len(kept) >= 2
    assert far["low"] == min(form["low"] for form in kept)
    assert far["high"] == max(form["high"] for form in kept)
    assert not far["determined"]
    assert found["law"]["params"]["E"] == pytest.approx(0.012, rel=0.05)
    assert found["ahead"]["n_train"] == pytest.approx(600_000)
    assert found["ahead"]["low"] < 0.012 + 6 * 6e5**-0.75 < found["ahead"]["high"]
    assert far["label_noise"] == 0.0015


def test_the_best_curve_comes_first_and_that_of_1989_beside_it() -> None:
    old = replace(curve(2 * SIZES**-0.3), fixed=NO_FLOOR.fixed | {"recipe": "1989"})
    middle = replace(curve(2 * SIZES**-0.35), fixed=NO_FLOOR.fixed | {"recipe": "ce"})
    short = curve(1e-3 * SIZES[:3] ** -0.1, SIZES[:3])
    found = main_curves([old, middle, WITH_FLOOR, short])
    assert found == [WITH_FLOOR, old]
    assert main_curves([short]) == []


@pytest.fixture
def nothing(tmp_path: Path) -> Results:
    """Store a study without trained models."""
    fill_study(tmp_path, find_study("ladder"), truth, seeds=(0,), leave_out=lambda *_: True)
    return load(tmp_path)


@pytest.fixture
def cells(nothing: Results) -> Cells:
    return Cells(nothing)


def printed(data: dict[str, Any]) -> list[str]:
    section = show(data)
    said = [*map(strip_links, section.text), *(picture.caption for picture in section.pictures)]
    for table in section.tables:
        said += [table.caption, *table.columns, *(cell for row in table.rows for cell in row)]
    return said


def test_the_sentence_has_the_range_and_what_cannot_be_determined(cells: Cells) -> None:
    data = project_2055([WITH_FLOOR], cells)
    first = strip_links(show(plain(data)).text[0])
    assert first.startswith("From 911 to 60,000 training images the test error of “2022 (all")
    assert "cannot be determined from this study" in first
    assert "7.3 × 10¹⁰ images" in first
    assert "forms, and these allow" in first
    text = " ".join(show(plain(data)).text)
    assert "This folder has no training of it" in text


@pytest.mark.parametrize(
    "shape", [NO_FLOOR, ONE_SEED, DRAWN_DIGITS, None], ids=("steep", "seed", "strokes", "size")
)
def test_whatever_there_is_it_can_be_shown(
    cells: Cells, shape: Curve | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This includes a curve of one size: the text names the missing study."""
    monkeypatch.setattr("analysis.forecasts.form_tests.DRAWN", 50)
    few = curve(np.array([0.05]), SIZES[:1], seeds=1)
    data = plain(project_2055([shape or few], cells))
    figures = draw(data)
    section = show(data)
    assert {picture.name for picture in section.pictures} == figures.keys()
    assert "nan" not in repr(section)
    assert project_2055([], cells) is None
    if shape is None:
        assert (
            "needs a curve of at least 4 sizes with misses; the longest here has 1"
            in section.text[0]
        )
    if shape is DRAWN_DIGITS:
        assert data["curves"][0]["far"]["label_noise"] is None
    if shape is ONE_SEED:
        assert "With one seed the noise is unknown" in section.text[1]


def test_every_number_that_is_printed_is_in_numbers_json(cells: Cells) -> None:
    """This includes powers of ten, and times in any unit."""
    own = MeasuredSeconds(
        seconds=1.07, year=2026.9, engine="e", runs=20, faster=84.1, by_hardware=(2, 5)
    )
    data = plain(project_2055([WITH_FLOOR], cells))
    data["measured"] = asdict(own)
    text = "\n".join(printed(data))
    assert len(text) > 3000
    assert unknown_numbers(text, data) == []
    assert unknown_numbers(f"{text} or 7.1 × 10¹² or 77.7 ms", data) == ["7.1e12", "77.7e-3"]


def test_numbers_are_written_as_people_read_them() -> None:
    assert (
        superscript_powers("at 7.3e+10 images, 1e-05 of E+A")
        == "at 7.3 × 10¹⁰ images, 1 × 10⁻⁵ of E+A"
    )
    assert [scientific(v) for v in (6.94e14, 1e7, 1234.0, 2.5e-5)] == [
        "6.9 × 10¹⁴", "10⁷", "1,234", "2.5 × 10⁻⁵",
    ]  # fmt: skip
    assert [seconds(v) for v in (259_200, 691, 90, 0.0312, 6.5e-5, 3.2e-8, 1e-12)] == [
        "3 days", "11.5 min", "90 s", "31.2 ms", "65 µs", "32 ns", "0.001 ns",
    ]  # fmt: skip


def judged(e: Evidence, claim: str) -> str:
    return CLAIMS[claim].judge(e).verdict


def test_what_facts_cannot_decide_they_do_not(
    nothing: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    e = gather_evidence(nothing)
    assert [judged(e, c) for c in ("C14", "C15", "C16")] == [UNKNOWABLE] * 3
    for orders_a_year, verdict in ((5.0, SUPPORTED), (-5.0, CONTRADICTED), (0.3, UNKNOWABLE)):
        rate = Rate(value=orders_a_year, low=None, high=None)
        agreed = [
            replace(g, scenarios=tuple(replace(s, rate=rate) for s in g.scenarios))
            for g in growth_outlooks()
        ]
        monkeypatch.setattr("analysis.claims.future.growth_outlooks", lambda agreed=agreed: agreed)
        assert judged(e, "C15") == verdict  # 0.3: all agree, by less than they have missed before


@pytest.mark.parametrize(
    ("low", "high", "determined", "verdict"),
    [
        (0.6, 0.9, True, SUPPORTED),
        (0.1, 0.4, True, CONTRADICTED),
        (1.1, 1.2, True, CONTRADICTED),
        (0.4, 0.9, True, UNKNOWABLE),
        (0.6, 0.9, False, UNKNOWABLE),
    ],
)
def test_data_alone_is_judged_by_all_forms(
    monkeypatch: pytest.MonkeyPatch,
    nothing: Results,
    looked: dict[str, Any],
    low: float,
    high: float,
    determined: bool,
    verdict: str,
) -> None:
    future = copy.deepcopy(looked)
    last = future["errors"][-1]
    future["far"] |= {"low": low * last, "high": high * last, "determined": determined}
    monkeypatch.setattr(Evidence, "future", {"curves": [future]})
    assert judged(gather_evidence(nothing), "C18") == verdict


def test_a_wider_network_is_judged_at_the_largest_size_it_was_tried_with(tmp_path: Path) -> None:
    fill_study(tmp_path, find_study("grid"), truth, seeds=range(3), seed_sd=0.02)
    found = CLAIMS["C19"].judge(gather_evidence(load(tmp_path)))
    assert found.verdict == SUPPORTED
    assert (found.values["n_train"], found.values["width"]) == (50_000, 4)
    assert found.values["cells"] == 12
    assert found.values["E"] < 0.01  # in this truth there is no floor
    narrow = tmp_path / "narrow"
    fill_study(narrow, find_study("grid"), truth, seeds=range(2), only=lambda c: c.width < 4)
    found = CLAIMS["C19"].judge(gather_evidence(load(narrow)))
    assert "A joint fit needs three widths" in found.sentence


def test_our_own_seconds_are_those_of_the_training_of_1989(tmp_path: Path) -> None:
    fill_study(tmp_path, find_study("ladder"), truth, seeds=range(3))
    found = measured_seconds(Cells(load(tmp_path)))
    assert found is not None
    assert (found.seconds, found.runs, found.engine) == (1.5, 3, "compiled")
    assert found.faster == 60
