"""Identity decides, never a name: cells that differ are told apart wherever they are shown.

Studies are generated over recipes, widths, starts, models, rates, lengths, splits and test sets,
with recipes that share a name; each table must name each of its rows, and show every model.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from generated import CE, MODERN, OLD, SAME_NAME, check_legend, check_tables, error_of, generated
from simulated import INFO, fill_study

from analysis import load, report
from analysis.api import predict_cells, write_comparison
from analysis.laws.curves import find_curves
from analysis.present.labels import labels
from analysis.present.style import line_styles
from analysis.report.figures import scaling_figure
from analysis.report.sections.forecasts import draw_forecasts, read_forecasts, show_forecasts
from analysis.report.sections.registry import BY_KIND
from analysis.results.identity import curve_id, facts_of
from scaling.analyses import Ladder, ScalingCurve
from scaling.older_plans import READ_AS
from scaling.recipes.registry import find_recipe
from scaling.recipes.tricks import gelu, shift
from scaling.store.digest import open_json, seal_json
from scaling.study import Cell, Grid, Job, Study, cell_identity, plan, resolve

QUICK = {("grid", 0), ("negative", 0), ("ladder", 0), ("screening", 0)}


def seeds(*quick: int, slow: Sequence[int]) -> list[Any]:
    """Return studies by number, with those that take longer for the whole suite only."""
    return [*quick, *(pytest.param(seed, marks=pytest.mark.slow) for seed in slow)]


@pytest.mark.parametrize("seed", seeds(2, slow=(0, 1, 3, 4, 5)))
def test_every_curve_is_one_thing_and_every_model_is_in_one(tmp_path: Path, seed: int) -> None:
    fill_study(tmp_path, generated("mine", seed), error_of)
    numbers = report(tmp_path)
    check_tables((tmp_path / "report.md").read_text())
    results = load(tmp_path)
    curves = find_curves(results, ())
    assert sum(size["seeds"] for c in numbers["curves"] for size in c["sizes"]) == len(
        results.models
    )
    groups = [json.dumps(curve["fixed"], sort_keys=True) for curve in numbers["curves"]]
    assert len(set(groups)) == len(groups)
    ids = [{curve_id(results.cell_of[run]) for run in curve.models["run_id"]} for curve in curves]
    assert all(len(found) == 1 for found in ids)
    for curve in curves:
        assert not curve.models.duplicated(["n_train", "seed"]).any()
    check_legend(scaling_figure(curves))


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=() if (name, seed) in QUICK else pytest.mark.slow)
        for name, analyses in sorted(READ_AS.items())
        if analyses != (ScalingCurve(),)
        for seed in range(3)
    ],
)
def test_every_section_names_its_rows_and_shows_every_model(
    tmp_path: Path, name: str, seed: int
) -> None:
    fill_study(tmp_path, generated(name, seed), error_of)
    numbers = report(tmp_path)
    check_tables((tmp_path / "report.md").read_text())
    for data in numbers["sections"]:
        for figure in BY_KIND[data["analysis"]["kind"]].draw(data).values():
            check_legend(figure)
        if name in ("ladder", "zipcode"):
            planned = json.loads((tmp_path / "studies" / f"{name}.json").read_text())["cells"]
            wanted = sum(len(cell["members"]) for cell in planned if cell["split"] == "none")
            assert sum(row["seeds"] for row in data["rows"]) == wanted
        elif name not in ("ablation", "epochs"):
            assert sum(row["seeds"] for row in data["rows"]) == numbers["models"]


@pytest.mark.parametrize("seed", seeds(0, slow=(1, 2)))
def test_a_comparison_names_its_rows_and_shows_every_model(tmp_path: Path, seed: int) -> None:
    fill_study(tmp_path / "a", generated("mine", seed, (911, 1823, 3646)), error_of)
    fill_study(tmp_path / "b", generated("mine", seed + 1, (911, 1823, 3646)), error_of)
    both = load(tmp_path / "a"), load(tmp_path / "b")
    write_comparison(*both)
    check_tables((tmp_path / "a" / "comparison.md").read_text())
    data = json.loads((tmp_path / "a" / "comparison_numbers.json").read_text())
    for side, results in zip("ab", both, strict=True):
        cells = [row[side] for row in data["rows"]] + data[f"only_{side}"]
        assert sum(cell["seeds"] for cell in cells) == len(results.models)


def folder(out: Path, *recipes: Any, sizes: Sequence[int] = (911, 1823), **how: Any) -> Path:
    grid = Grid(dataset=("mnist",), n_train=tuple(sizes), recipe=recipes, seeds=(0, 1), **how)
    fill_study(out, Study(name="mine", question="?", grids=(grid,)), error_of)
    return out


def test_two_recipes_of_one_name_are_two_curves(tmp_path: Path) -> None:
    numbers = report(folder(tmp_path, "ce", SAME_NAME))
    titles = {curve["title"] for curve in numbers["curves"]}
    assert titles == {"+ cross-entropy", "+ cross-entropy (GELU, shift 1)"}
    assert [size["seeds"] for curve in numbers["curves"] for size in curve["sizes"]] == [2] * 4
    assert {numbers["comparison"][end] for end in ("from", "to")} == titles


def test_plans_without_newer_fields_are_of_the_same_curve(tmp_path: Path) -> None:
    """The identity that a plan gives is the cell's own."""
    folder(tmp_path, "ce", SAME_NAME)
    before = [curve.planned_cell for curve in find_curves(load(tmp_path), ())]
    path = tmp_path / "studies" / "mine.json"
    plan_ = open_json(path.read_bytes())
    for cell in plan_["cells"]:
        for name in ("elastic", "trainable", "warmup"):
            del cell["recipe"][name]
        del cell["start"]
    path.write_bytes(seal_json(plan_))
    after = [curve.planned_cell for curve in find_curves(load(tmp_path), ())]
    assert [curve_id(cell) for cell in before] == [curve_id(cell) for cell in after]
    assert "elastic" not in after[0]["recipe"]
    titles = {curve["title"] for curve in report(tmp_path)["curves"]}
    assert titles == {"+ cross-entropy", "+ cross-entropy (GELU, shift 1)"}
    for job in resolve(generated("mine", 0), lambda name: (name, INFO[name])):
        planned = json.loads(
            json.dumps(plan(Study(name="x", question="?", grids=()), [job], [0.0]))
        )
        assert cell_identity(planned["cells"][0]) == cell_identity(job.cell)


@pytest.mark.parametrize("seeds_of", [{0.01: (0, 1), 0.02: (0, 1)}, {0.01: (0, 1), 0.05: (2, 3)}])
def test_a_cell_at_two_rates_is_of_two_curves(
    tmp_path: Path, seeds_of: dict[float, tuple[int, ...]]
) -> None:
    """Seeds that occur twice are all kept; without these, rates are not mixed."""
    grids = tuple(
        Grid(dataset=("mnist",), n_train=(911, 1823), recipe=("ce",), seeds=those, lr=lr)
        for lr, those in seeds_of.items()
    )
    fill_study(tmp_path, Study(name="mine", question="?", grids=grids), error_of)
    curves = find_curves(load(tmp_path), ())
    found = {curve.fixed["lr"]: sorted(set(curve.models["seed"])) for curve in curves}
    assert found == {lr: list(those) for lr, those in seeds_of.items()}
    assert [len(curve.models) for curve in curves] == [4, 4]


def test_the_ladder_shows_a_published_cell_at_both_of_its_rates(tmp_path: Path) -> None:
    grids = tuple(
        Grid(dataset=("mnist",), n_train=(7291,), recipe=("ce",), seeds=(0, 1), lr=lr)
        for lr in (0.02, CE.lr)
    )
    study = Study(name="rates", question="?", grids=grids, analyses=(Ladder(),))
    fill_study(tmp_path, study, error_of)
    (data,) = report(tmp_path)["sections"]
    rows = [row for row in data["rows"] if row["seeds"]]
    assert [row["seeds"] for row in rows] == [2, 2]
    assert rows[0]["published"] is not None
    assert rows[1]["what"] == "+ cross-entropy, learning rate 0.02"


def test_styles_of_many_lines_differ() -> None:
    styles = {(s["color"], s["marker"], s.get("mfc")) for s in line_styles(160)}
    assert len(styles) == 160


def test_forecasts_are_of_the_curve_that_the_cell_is_on(tmp_path: Path) -> None:
    sizes = (911, 1823, 3646, 7291)
    folder(tmp_path, "ce", SAME_NAME, sizes=sizes)
    grid = Grid(dataset=("mnist",), n_train=(14582,), recipe=("ce", SAME_NAME), seeds=(0, 1))
    study = Study(name="next", question="?", grids=(grid,))
    jobs = resolve(study, lambda name: (name, INFO[name]))
    rows = predict_cells(load(tmp_path), plan(study, jobs, [0.0] * 2), wanted=(), fit_to=None)
    curves = {curve_id(c.planned_cell): c for c in find_curves(load(tmp_path), ())}
    for row, job in zip(rows, jobs, strict=True):
        assert row["fitted_errors"] == pytest.approx(curves[curve_id(job.cell)].errors)
    fill_study(tmp_path, study, error_of)
    data = read_forecasts(load(tmp_path))
    assert data is not None
    (table,) = show_forecasts(data).tables
    titles = {"+ cross-entropy", "+ cross-entropy (GELU, shift 1)"}
    assert {row[:2] for row in table.rows} == {(title, "14,582") for title in titles}
    check_legend(draw_forecasts(data)["forecasts"])


def test_the_recipe_of_a_claim_is_the_one_that_its_name_stands_for(tmp_path: Path) -> None:
    """A claim does not take the first cell of the plan: it reports that the cell is ambiguous."""
    impostors = [replace(find_recipe("gelu"), dropout=rate) for rate in (0.4, 0.5)]
    for recipes, told in (((*impostors, "gelu"), True), (impostors, False)):
        out = tmp_path / str(told)
        grid = Grid(
            dataset=("mnist",),
            n_train=(7291,),
            recipe=("dropout_relu", "more_dropout", "less_decay", "label_smoothing",
                    "gelu_less_decay", *recipes),
            seeds=(0, 1),
        )  # fmt: skip
        fill_study(out, Study(name="revisit", question="?", grids=(grid,)), error_of)
        (claim,) = (row for row in report(out)["claims"] if row["id"] == "C21")
        (data,) = json.loads((out / "numbers.json").read_text())["sections"]
        if told:
            row = next(row for row in data["rows"] if row["title"] == "GELU")
            assert claim["values"]["gelu"] == row["change"]
        else:
            assert claim["verdict"].startswith("cannot be told: 2 cells of revisit")


def test_labels_say_the_least_that_tells_things_apart() -> None:
    def named(*recipes: Any, **shown: Any) -> list[str]:
        grid = Grid(dataset=("mnist",), n_train=(911,), recipe=recipes, seeds=(0,))
        jobs = resolve(Study(name="x", question="?", grids=(grid,)), lambda n: (n, INFO[n]))
        return labels([facts_of(_planned(job.cell)) for job in jobs], **shown)

    assert named(CE, OLD) == ["+ cross-entropy", "1989"]
    assert named(CE, gelu(CE), shift(CE)) == [
        "+ cross-entropy", "+ cross-entropy (GELU)", "+ cross-entropy (shift 1)"
    ]  # fmt: skip
    assert named(gelu(CE), shift(CE)) == [
        "+ cross-entropy (GELU, no shift)", "+ cross-entropy (tanh, shift 1)"
    ]  # fmt: skip
    assert named(MODERN, gelu(MODERN)) == ["2022 (all tricks)", "2022 (all tricks; GELU)"]
    assert named(CE, replace(CE, tricks=(("cross_entropy", 2),))) == [
        "+ cross-entropy, tricks cross entropy", "+ cross-entropy, tricks cross entropy 2"
    ]  # fmt: skip
    assert named(replace(OLD, name="a b"), replace(OLD, name="a_b")) == [
        "a b, recipe a b", "a b, recipe a_b"
    ]  # fmt: skip
    longer = replace(CE, epochs=9)
    assert named(CE, longer) == ["+ cross-entropy, 23 epochs", "+ cross-entropy, 9 epochs"]
    assert named(CE, longer, shown=("epochs",)) == ["+ cross-entropy"] * 2
    close = replace(CE, dropout=0.1), replace(CE, dropout=0.10000000001)
    assert len(set(named(*close))) == 2


def _planned(cell: Cell) -> dict[str, Any]:
    """Return a cell as a plan holds it."""
    job = Job(cell=cell, members=(), source="")
    entry: dict[str, Any] = plan(Study(name="x", question="?", grids=()), [job], [0.0])["cells"][0]
    return entry
