"""Test the table of what recipes are, and that the page opens with the first planned recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from simulated import fill_study

from analysis import load, report
from analysis.report.sections import recipes
from scaling.recipes.registry import find_recipe
from scaling.recipes.tricks import dropout, gelu
from scaling.study import Grid, Recipe, Study

CE = find_recipe("ce")
PLAIN, GELU = replace(CE, name="zebra"), gelu(replace(CE, name="bear", lr=0.02))


def shown(out: Path, *mine: Recipe, **axes: Any) -> tuple[str, list[tuple[str, ...]]]:
    """Return the text and the rows of the table for a study of these recipes."""
    axes = {"dataset": ("mnist",), "n_train": (911, 1823), "recipe": mine, "seeds": (0, 1)} | axes
    grid = Grid(**axes)
    fill_study(out, Study(name="mine", question="", grids=(grid,)), lambda _: 0.05)
    data = recipes.measure(load(out))
    assert data is not None
    section = recipes.show(data)
    (table,) = section.tables
    return " ".join(section.text), list(table.rows)


def test_recipes_are_told_by_what_they_share_and_by_what_each_has_apart(tmp_path: Path) -> None:
    text, rows = shown(tmp_path, PLAIN, GELU)
    assert text.startswith("All 2 recipes share: network of 1989, cross-entropy,")
    assert "SGD" in text
    assert "tanh," not in text.replace("tanh outputs", "")
    assert rows == [
        ("zebra", "tanh", "23", "0.01", "0"),
        ("bear", "GELU", "23", "0.02", "0"),
    ]


def test_a_recipe_alone_is_told_whole(tmp_path: Path) -> None:
    text, rows = shown(tmp_path, dropout(PLAIN))
    assert text.startswith("The recipe has: network of 1989, cross-entropy, tanh,")
    assert "dropout 0.25" in text
    assert rows[0][1] == "–"


def test_many_epochs_of_a_recipe_are_a_range(tmp_path: Path) -> None:
    _, rows = shown(tmp_path, PLAIN, epochs=(2, 4, 8, 16))
    assert [row[2] for row in rows] == ["2 to 16"]


def test_only_so_many_rows_are_printed(tmp_path: Path) -> None:
    many = [replace(CE, name=f"r{i}", dropout=i / 100) for i in range(recipes.SHOWN + 1)]
    text, rows = shown(tmp_path, *many, n_train=(911,))
    assert len(rows) == recipes.SHOWN
    assert f"numbers.json has all {recipes.SHOWN + 1}" in text


def test_the_page_opens_with_the_recipe_that_is_planned_first(tmp_path: Path) -> None:
    shown(tmp_path, PLAIN, GELU)
    numbers = report(tmp_path)
    assert numbers["curves"][numbers["lead"]["curve"]]["title"] == "zebra"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    lead = page.split('<p class="lead">')[1].split("</p>")[0]
    assert "“zebra”" in lead
    for anchor in ("errors-2-1", "errors-2-2", "changes-1-2"):  # after the rows of bear
        assert f'href="#{anchor}"' in lead
    assert "zebra" in page.split('<tr id="changes-1-2">')[1].split("</tr>")[0]
    assert "zebra" in page.split('<tr id="errors-2-1">')[0].rsplit("<h3>", 1)[1]
