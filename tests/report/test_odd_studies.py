"""Test odd studies: their names, analyses and plans, and the report's answer to them."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulated import fill_study

from analysis import load, report
from analysis.claims import gather_evidence
from analysis.report.sections.ids import unique_ids
from analysis.report.sections.registry import BY_KIND, HEADINGS, measure_studies
from scaling.analyses import (
    SMALLEST_WIDTH,
    Analysis,
    Compare,
    Epochs,
    Factorial,
    Interaction,
    Ladder,
    PublishedRun,
    ScalingCurve,
    Screening,
    from_plan,
)
from scaling.errors import InputError
from scaling.recipes.recipe import Recipe
from scaling.recipes.tricks import dropout, gelu, relu
from scaling.study import Cell, Grid, Study, plan

RECIPES = (Recipe(name="plain", epochs=9, lr=0.03), Recipe(name="slow", epochs=9, lr=0.01))


def study(*analyses: Analysis, name: str = "mine", **axes: Any) -> Study:
    """Return a study of two recipes of its own at one size and width."""
    grid = Grid(**{"n_train": (500,), "recipe": RECIPES, "seeds": (0, 1)} | axes)
    grid = replace(grid, dataset=("mnist",))
    return Study(name=name, question="Which?", grids=(grid,), analyses=analyses)


def error_of(cell: Cell) -> float:
    return 0.2 * (cell.n_train / 500) ** -0.4 / cell.width**0.4


def sections_of(out: Path) -> list[dict[str, Any]]:
    """Return the numbers of the studies' sections, without the page, which takes long."""
    return measure_studies(gather_evidence(load(out)))


def shown(data: dict[str, Any]) -> Any:
    return BY_KIND[data["analysis"]["kind"]].show(data)


def test_no_two_parts_of_a_page_share_an_anchor(tmp_path: Path) -> None:
    """The names of studies and the numbers of sections and tables are free."""
    two = (Compare(to="plain"), Interaction("width", "n_train"), Compare(to=SMALLEST_WIDTH))
    fill_study(tmp_path, study(*two, n_train=(500, 1000), width=(1.0, 2.0)), error_of)
    for name in ("mine-2", "mine-1-3", "mine.2", "planning", "methods"):
        fill_study(tmp_path, study(Compare(to="plain"), name=name), error_of)
    report(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]+)"', page)
    assert [each for each, times in Counter(ids).items() if times > 1] == []
    assert set(re.findall(r' href="#([^"]+)"', page)) <= set(ids)
    assert {"mine", "mine.2_", "mine-2_", "planning", "planning_", "methods_"} <= set(ids)


def test_headings_of_the_page_are_known() -> None:
    templates = Path(__file__).parents[2] / "analysis/report/templates"
    text = "".join(path.read_text(encoding="utf-8") for path in templates.glob("*.html.jinja"))
    assert set(re.findall(r'<h2 id="([\w.-]+)"', text)) == set(HEADINGS)


def test_an_id_that_is_taken_gets_underscores() -> None:
    found = unique_ids({"a": 2, "a-2": 1, "a.2-7": 1, "b": 1, "b_": 1}, taken=["b"])
    assert found == {
        ("a", 1): "a", ("a", 2): "a.2", ("a-2", 1): "a-2_", ("a.2-7", 1): "a.2-7_",
        ("b", 1): "b_", ("b_", 1): "b__",
    }  # fmt: skip


@pytest.mark.parametrize("analysis", [Screening(), Factorial()])
def test_links_of_a_second_section_lead_to_its_own_rows(tmp_path: Path, analysis: Analysis) -> None:
    base = Recipe(name="plain", epochs=9, lr=0.03)
    recipes = (base, *(replace(r, name=r.name + "2") for r in (dropout(base), relu(base))))
    recipes += (replace(relu(dropout(base)), name="all"),)
    split = "tune" if analysis == Screening() else "none"
    fill_study(tmp_path, study(Ladder(), analysis, recipe=recipes, split=split), error_of)
    data = next(d for d in sections_of(tmp_path) if d["analysis"]["kind"] != "Ladder")
    assert data["id"] == "mine.2"
    links = re.findall(r"\]\(#([^)]+)\)", "".join(shown(data).text))
    assert links
    assert all(link.startswith("mine.2-") for link in links)


def test_a_title_that_studies_share_names_them(tmp_path: Path) -> None:
    for name in ("one", "other"):
        own = study(Ladder(), Ladder(title="Own"), name=name)
        fill_study(tmp_path, own, error_of)
    titles = [data["title"] for data in sections_of(tmp_path)]
    assert titles == ["one: The ladder", "one: Own", "other: The ladder", "other: Own"]


def test_an_analysis_that_no_cell_serves_is_reported(tmp_path: Path) -> None:
    own = study(Epochs(), Interaction("width", "n_train"))
    fill_study(tmp_path, own, error_of)
    report(tmp_path)
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "mine: no section for Epochs, which needs finished cells with validation" in text
        assert "mine: no section for Interaction, which needs" in text
    lead = re.findall(r'<p class="lead">\s*(.*?)</p>', text, flags=re.S)
    assert "of a core" not in lead[0]  # the words of another section do not open the page


def test_a_comparison_with_what_is_not_there_says_so(tmp_path: Path) -> None:
    fill_study(tmp_path, study(Compare(to="plan")), error_of)
    (data,) = sections_of(tmp_path)
    assert shown(data).text[0].startswith("No cell could be compared with the recipe “plan”")


def test_every_study_has_its_question_and_notes_once(tmp_path: Path) -> None:
    both = {
        "section": study(Compare(to="plain"), Compare(to="slow"), name="section"),
        "curve": study(ScalingCurve(), Compare(to="plain"), name="curve"),
        "shape": study(name="shape"),
        "none": study(Epochs(), name="none"),
    }
    for name, each in both.items():
        asked = replace(each, question=f"Is {name} right?", notes=(f"A note on {name}.",))
        fill_study(tmp_path, asked, error_of)
    report(tmp_path)
    for file in ("report.md", "report.html"):
        text = (tmp_path / file).read_text(encoding="utf-8")
        for name in both:
            assert text.count(f"Is {name} right?") == text.count(f"A note on {name}.") == 1


def test_an_alias_names_the_recipe_that_it_stands_for(tmp_path: Path) -> None:
    fill_study(tmp_path, study(Compare(to="modern"), recipe=("1989", "modern")), error_of)
    (data,) = sections_of(tmp_path)
    assert data["compared"] == 1
    own = Grid(n_train=(5,), recipe=(Recipe(name="modern", epochs=1, lr=0.1),), seeds=(0,))
    entries = [
        plan(Study(name="m", question="", grids=grids, analyses=(each,)), [], [])["analyses"][0]
        for each in (Compare(to="modern"), Ladder(compare_to="modern"))
        for grids in ((), (own,))
    ]
    names = [entry.get("to", entry.get("compare_to")) for entry in entries]
    assert names == ["dropout_relu", "modern", "dropout_relu", "modern"]


def test_a_factorial_without_tricks_says_so(tmp_path: Path) -> None:
    fill_study(tmp_path, study(Factorial()), error_of)
    (data,) = sections_of(tmp_path)
    assert shown(data).text == (
        "No recipe of the study has a trick: the study has no combinations to compare.",
    )


def test_a_factorial_leaves_out_tricks_beside_it(tmp_path: Path) -> None:
    base = Recipe(name="plain", epochs=9, lr=0.03)
    both = {"a": dropout(base), "b": relu(base), "ab": relu(dropout(base))}
    recipes = (base, *(replace(recipe, name=name) for name, recipe in both.items()))
    beside = replace(gelu(base), name="gelu")
    fill_study(tmp_path, study(Factorial(), recipe=(*recipes, beside)), error_of)
    (data,) = sections_of(tmp_path)
    assert (data["combinations"], data["missing"], data["left_out"]) == (4, 0, 1)


def test_one_seed_gives_an_interaction_no_verdict(tmp_path: Path) -> None:
    grid = {"n_train": (500, 1000), "width": (1.0, 2.0), "recipe": RECIPES[:1], "seeds": (0,)}
    one = study(Interaction("width", "n_train"), **grid)
    fill_study(tmp_path, one, error_of)
    (data,) = sections_of(tmp_path)
    assert shown(data).text[0].endswith("(one seed, so that no verdict rests on it).")


def test_a_ladder_of_its_own_names_its_baseline_and_counts_as_its_runs_do(tmp_path: Path) -> None:
    runs = tuple(
        PublishedRun(
            row=name, what=name, dataset="mnist", n_train=500, recipe=name, epochs=9,
            test_misses=40, n_test=n_test,
        )
        for name, n_test in (("plain", 200), ("slow", 400))
    )  # fmt: skip
    ladders = (
        Ladder(published=runs[:1], compare_to="plain"),
        Ladder(published=runs, compare_to="1989"),
    )
    fill_study(tmp_path, study(*ladders), error_of)
    first, second = sections_of(tmp_path)
    assert {row["n_drawn"] for row in first["rows"]} == {200}  # not 1989's 2,007 for the others
    assert shown(first).tables[-1].caption.startswith("Against the recipe “plain” on the same")
    axes = [BY_KIND["Ladder"].draw(data)[data["id"]].axes[0] for data in (first, second)]
    assert axes[0].get_xlabel() == "test misses of 200"
    assert axes[1].get_xlabel().startswith("test error, %")
    errors = [x for line in axes[1].lines if line.get_marker() == "D" for x in line.get_xdata()]
    assert errors == pytest.approx([20.0, 10.0])


@pytest.mark.parametrize(
    ("analyses", "message"),
    [
        (Compare(to="a"), "expected a tuple such as"),
        ((Compare(to="a", axis="size"),), "axis is 'size', expected one of n_train, n_macs"),
        ((Compare(to=RECIPES[0]),), "to is .*, expected str"),
        ((Ladder(compare_to=b"a"),), "not JSON serializable"),
    ],
)
def test_an_analysis_that_no_plan_can_hold_is_refused_before_training(
    analyses: Any, message: str
) -> None:
    with pytest.raises(InputError, match=f"study 'm': .*{message}"):
        Study(name="m", question="", grids=(), analyses=analyses)


@pytest.mark.parametrize("entry", ["Compare", None, {}, {"kind": ["Compare"]}])
def test_a_damaged_entry_of_a_plan_is_one_line(entry: Any) -> None:
    with pytest.raises(InputError, match="expected an object with a kind such as"):
        from_plan(entry)
