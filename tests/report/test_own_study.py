"""Test a user's own study: it has the sections that its grid allows, or those that it names."""

import re
from pathlib import Path

import pytest
from simulated import fill_study

from analysis import report
from analysis.results.reading import read_as, sentence_of
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
)
from scaling.errors import InputError
from scaling.recipes.recipe import Recipe
from scaling.study import Cell, Grid, Study

RATES = {"plain": 0.03, "slow": 0.01, "slower": 0.003, "fast": 0.05, "faster": 0.07}
RECIPES = tuple(Recipe(name=name, epochs=9, lr=lr) for name, lr in RATES.items())
ALL = (
    ScalingCurve(),
    Compare(to="plain"),
    Compare(to=SMALLEST_WIDTH, axis="n_macs"),
    Interaction("width", "n_train"),
)


def study(*analyses: Analysis, **axes: object) -> Study:
    """Return a study of five recipes of its own, at three sizes and two widths."""
    grid = {"dataset": ("mnist",), "n_train": (500, 1000, 2000), "width": (1.0, 2.0)}
    grid |= {"recipe": RECIPES, "seeds": (0, 1)} | axes
    return Study(name="mine", question="Which?", grids=(Grid(**grid),), analyses=analyses)  # type: ignore[arg-type]


def error_of(cell: Cell) -> float:
    rate = {"slow": 0.9, "slower": 1.1, "fast": 0.8, "faster": 1.3}.get(cell.recipe.name, 1.0)
    return 0.2 * rate * (cell.n_train / 500) ** -0.4 / cell.width**0.4


@pytest.mark.parametrize("analyses", [(), ALL], ids=["by its shape", "as it says"])
def test_it_gets_curves_comparisons_a_width_section_and_an_interaction(
    tmp_path: Path, analyses: tuple[Analysis, ...]
) -> None:
    fill_study(tmp_path, study(*analyses), error_of)
    numbers = report(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(numbers["curves"]) == 10
    recipes, widths = numbers["sections"]
    assert recipes["compared"] == 24  # all but the baseline's, at three sizes and two widths
    assert widths["compared"] == 15
    assert {row["base"] for row in recipes["rows"]} == {None, "plain"}
    assert len(widths["crossed"]) == 5
    assert [part["id"] for part in numbers["sections"]] == ["mine", "mine.2"]
    for heading in ("mine: against “plain”", "mine: against the smallest width"):
        assert re.search(rf'<h2 id="mine(\.2)?">{heading}</h2>', page)
    assert 'src="data:image/svg' in page
    chosen = "chose by the shape of the grid: scaling curves over the number of training images;"
    assert (chosen in page) == (not analyses)
    for name in ("mine", "mine.2", "error_vs_n_train"):
        assert (tmp_path / "figures" / f"{name}.png").exists()


def test_only_what_it_names_is_shown(tmp_path: Path) -> None:
    fill_study(tmp_path, study(Interaction("width", "n_train")), error_of)
    numbers = report(tmp_path)
    assert numbers["curves"] == []
    (section,) = numbers["sections"]
    assert section["analysis"]["kind"] == "Interaction"
    assert len(section["rows"]) == 5
    assert "from width 1 to 2" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_published_runs_of_its_own_stand_beside_its_own(tmp_path: Path) -> None:
    run = PublishedRun(
        row="first",
        what="my first network",
        dataset="mnist",
        n_train=500,
        recipe="plain",
        epochs=9,
        test_misses=40,
        n_test=200,
    )
    fill_study(tmp_path, study(Ladder(title="Mine", published=(run,)), width=(1.0,)), error_of)
    (section,) = report(tmp_path)["sections"]
    row = section["rows"][0]
    assert (row["what"], row["published"], row["inside"]) == ("my first network", 40, True)


def entry(**fields: object) -> dict[str, object]:
    """Return a cell of a plan, with the fields that its reading uses."""
    recipe = {"name": "a", "tricks": [], "epochs": 9} | dict(fields.pop("recipe", {}))  # type: ignore[call-overload]
    whole = {"dataset": "d", "test_set_id": "t", "split": "none", "width": 1.0, "n_train": 100}
    return {**whole, **fields, "recipe": recipe}


TRICKS = ([], [["a", 1]], [["b", 1]], [["a", 1], ["b", 1]])


@pytest.mark.parametrize(
    ("cells", "analyses"),
    [
        ([entry()], [ScalingCurve()]),
        ([entry(n_train=n) for n in (1, 2)], [ScalingCurve()]),
        ([entry(recipe={"name": name}) for name in "ab"], [Compare(to="a")]),
        (
            [entry(recipe={"name": str(i), "tricks": t}) for i, t in enumerate(TRICKS)],
            [Factorial()],
        ),
        ([entry(width=width) for width in (1.0, 2.0)], [Compare(to=SMALLEST_WIDTH, axis="n_macs")]),
        ([entry(split="tune", recipe={"epochs": n}) for n in (1, 2)], [Epochs()]),
        ([entry(split="tune", recipe={"name": name}) for name in "ab"], [Screening()]),
        # Sizes of one recipe and widths of another are no grid.
        (
            [entry(n_train=n) for n in (1, 2)] + [entry(recipe={"name": "b"}, n_train=3)],
            [ScalingCurve()],
        ),
    ],
)
def test_the_shape_of_a_grid_says_how_it_is_read(
    cells: list[dict[str, object]], analyses: list[Analysis]
) -> None:
    reading = read_as({"name": "mine", "cells": cells})
    assert list(reading.analyses) == analyses
    assert reading.by_shape


def test_a_tuning_is_not_read_as_a_study() -> None:
    assert read_as({"name": "t", "tuning": {}, "cells": [entry()]}).analyses == ()


def test_analyses_of_a_newer_version_are_left_to_it() -> None:
    plan = {"name": "m", "cells": [entry()], "analyses": [{"kind": "Other", "x": 1}]}
    assert read_as(plan).analyses == (ScalingCurve(),)
    assert "a newer version" in str(sentence_of(read_as(plan)))
    both = read_as(plan | {"analyses": [*plan["analyses"], {"kind": "Factorial"}]})  # type: ignore[misc]
    assert both.analyses == (Factorial(),)
    assert sentence_of(both) is not None
    assert "by the shape" not in str(sentence_of(both))
    with pytest.raises(InputError, match="analyses is 5, expected a list"):
        read_as(plan | {"analyses": 5})
    with pytest.raises(InputError, match="Compare has no to"):
        read_as(plan | {"analyses": [{"kind": "Compare"}]})


def test_what_is_no_analysis_is_refused() -> None:
    with pytest.raises(InputError, match=r"study 'mine': analyses has 'curves', expected values"):
        study("curves")  # type: ignore[arg-type]


def test_an_interaction_is_no_part_of_a_comparison_without_an_axis(tmp_path: Path) -> None:
    fill_study(tmp_path, study(Compare(to="plain"), Interaction()), error_of)
    sections = report(tmp_path)["sections"]
    assert [section["analysis"]["kind"] for section in sections] == ["Compare", "Interaction"]
    assert sections[0]["crossed"] == []
