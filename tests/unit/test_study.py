"""Cells, members and studies: identity, resolution, cost."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.studies import all_studies, find_study, names
from scaling import engines
from scaling.data import datasets
from scaling.data.selection import DatasetInfo
from scaling.errors import InputError
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.store import plan_schema
from scaling.study import (
    Grid,
    Job,
    Study,
    cell_identity,
    evaluated_epochs,
    make_cell,
    make_members,
    predicted_seconds,
    resolve,
)

MNIST = datasets.describe("mnist")
RECIPE = find_recipe("1989")
CELL = make_cell(MNIST, RECIPE, n_train=911)
(MEMBER,) = make_members(RECIPE, [0])


def lookup(name: str) -> tuple[str, datasets.DatasetInfo]:
    return name, datasets.describe("mnist" if name == "auto" else name)


def test_identity_is_the_same_in_every_version_of_this_code() -> None:
    """A golden test: stored results carry these names.

    Changing them orphans everybody's results, so update this only together with a version (of the
    model, a trick, a preparation) whose meaning has changed.
    """
    assert CELL.cell_id == "mnist-n911-w1-1989-e23-870ed89d3e3a"
    assert CELL.run_id(MEMBER) == "mnist-n911-w1-1989-e23-s0-615377027024"


def test_whatever_bears_on_the_result_is_in_the_identity() -> None:
    modern = find_recipe("modern")
    others = [
        replace(CELL, dataset="usps"),
        replace(CELL, data_version="1"),
        replace(CELL, n_train=912),
        replace(CELL, test_set_id="mnist@2-test2007", n_test=2007),
        replace(CELL, split="tune"),
        replace(CELL, width=2.0),
        replace(CELL, model_version=2),
        replace(CELL, model="micro_vit"),
        replace(CELL, recipe=replace(RECIPE, epochs=24)),
        replace(CELL, recipe=replace(RECIPE, batch_size=2)),
        replace(CELL, recipe=replace(RECIPE, dropout=0.1)),
        replace(CELL, recipe=modern),
        replace(CELL, recipe=replace(modern, tricks=(*modern.tricks[:-1], ("relu", 2)))),
    ]
    assert len({cell.cell_id for cell in [CELL, *others]}) == len(others) + 1
    members = [MEMBER, replace(MEMBER, seed=1), replace(MEMBER, lr=0.01)]
    members.append(replace(MEMBER, weight_decay=0.1))
    assert len({CELL.run_id(member) for member in members}) == 4


def test_learning_rates_are_of_the_member_and_not_of_the_cell() -> None:
    other = replace(CELL, recipe=replace(RECIPE, lr=0.5, weight_decay=0.1))
    assert other.cell_id == CELL.cell_id


def test_a_field_at_its_default_is_not_in_the_identity() -> None:
    """So that a field added later renames no stored result."""
    recipe = cell_identity(CELL)["recipe"]
    assert recipe == {"name": "1989", "epochs": 23, "output_bias": -1.0}


def test_what_json_cannot_hold_has_no_identity() -> None:
    with pytest.raises(TypeError):
        _ = replace(CELL, recipe=replace(RECIPE, dropout={1})).cell_id  # type: ignore[arg-type]
    with pytest.raises(InputError, match="JSON"):
        _ = replace(CELL, recipe=replace(RECIPE, dropout=float("nan"))).cell_id


def test_a_width_is_the_same_as_whole_number_and_as_float() -> None:
    assert make_cell(MNIST, RECIPE, n_train=911, width=1).cell_id == CELL.cell_id


def test_grids_are_multiplied_out_and_overlaps_counted_once() -> None:
    grid = Grid(n_train=(10, 20), recipe=("1989", "modern"), width=(1, 2), seeds=(0, 1))
    more = Grid(n_train=(20, 40), recipe=("1989",), seeds=(1, 2))
    jobs = resolve(Study(name="a", question="?", grids=(grid, more)), lookup)
    assert len(jobs) == 8 + 1
    by_size = {(j.cell.n_train, j.cell.width, j.cell.recipe.name): j for j in jobs}
    assert [m.seed for m in by_size[20, 1.0, "1989"].members] == [0, 1, 2]
    assert [m.seed for m in by_size[10, 1.0, "1989"].members] == [0, 1]


def test_overrides_replace_axes_and_are_said() -> None:
    study = find_study("quickstart")
    assert study.override(n_train=None) == study
    changed = study.override(n_train=(5, 6), epochs=(2,), seeds=(9,))
    jobs = resolve(changed, lookup)
    assert {(j.cell.n_train, j.cell.recipe.epochs) for j in jobs} == {(5, 2), (6, 2)}
    assert {m.seed for j in jobs for m in j.members} == {9}
    assert "n_train 5, 6; epochs 2; seeds 9" in changed.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": ("magic",)}, "unknown recipe"),
        ({"dataset": ("mnsit",)}, "unknown data set"),
        ({"n_train": (60_001,)}, "60,001"),
        ({"n_test": (10_001,)}, "n_test"),
        ({"width": (0.3,)}, "width"),
        ({"epochs": (0,)}, "epochs"),
        ({"seeds": ()}, "seeds"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolve(find_study("quickstart").override(**change), lookup)


@pytest.mark.parametrize("lr", [0, -1, float("inf"), float("nan")])
def test_a_learning_rate_is_a_positive_number(lr: float) -> None:
    with pytest.raises(InputError, match="learning rate"):
        make_members(RECIPE, [0], lr)


@given(st.integers(1, 500))
def test_evaluations_are_log_spaced_and_include_the_last(epochs: int) -> None:
    chosen = evaluated_epochs(epochs)
    assert chosen[-1] == epochs
    assert chosen[0] == 1
    assert len(chosen) <= 9
    assert evaluated_epochs(epochs, every=True) == tuple(range(1, epochs + 1))


def test_predicted_cost_grows_with_work() -> None:
    def seconds(**change: object) -> float:
        cell = replace(CELL, n_test=100, **change)  # type: ignore[arg-type]
        job = Job(cell=cell, members=make_members(RECIPE, [0, 1]), source="mnist")
        return predicted_seconds(job, engines.us_per_example)

    assert seconds(n_train=1822) > 1.5 * seconds()
    assert seconds(width=4.0) > 1.5 * seconds()
    assert seconds(recipe=replace(RECIPE, batch_size=64)) < 0.6 * seconds(
        recipe=replace(RECIPE, batch_size=2)
    )


def test_a_cell_costs_what_the_engine_takes_that_will_train_it() -> None:
    fast, _ = engines.us_per_example(CELL)
    slow, _ = engines.us_per_example(CELL, engine="reference")
    assert engines.choose(CELL) == "compiled"
    assert fast < slow / 20


def test_what_the_engine_does_besides_costs_as_was_measured() -> None:
    def us(**change: object) -> float:
        cell = replace(CELL, recipe=replace(find_recipe("modern"), **change))  # type: ignore[arg-type]
        return engines.us_per_example(cell, engine="compiled")[0]

    assert us(elastic=0.8) > 2 * us() > 4 * us(trainable="output")


def test_models_in_lock_step_cost_less_each() -> None:
    cell = replace(CELL, recipe=replace(RECIPE, norm="layer"))

    def each(members: int) -> float:
        job = Job(cell=cell, members=make_members(RECIPE, range(members)), source="mnist")
        return predicted_seconds(job, engines.us_per_example) / members

    assert each(1) > 1.5 * each(2) > 4 * each(32)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", ".hidden"])
def test_a_study_is_named_so_that_it_can_name_a_file(name: str) -> None:
    with pytest.raises(InputError, match="study name"):
        Study(name=name, question="?", grids=())


def test_every_study_resolves() -> None:
    assert "quickstart" in names()
    for study in all_studies():
        assert study.question.endswith("?")
        assert resolve(study, lookup)


def test_a_study_may_be_anybodys_file(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]  # noqa: ARG001
    path = tmp_path / "mine.py"
    path.write_text(
        "from scaling.study import Grid, Study\n"
        "STUDY = Study(name='mine', question='?', grids=("
        "Grid(n_train=tuple(2**k for k in range(3)), recipe=('ce',), seeds=(0,)),))\n"
    )
    assert find_study(str(path)).grids[0].n_train == (1, 2, 4)
    path.write_text("STUDY = 3\n")
    with pytest.raises(InputError, match="STUDY is int"):
        find_study(str(path))
    path.write_text("x = 1\n")
    with pytest.raises(InputError, match="expected a variable STUDY"):
        find_study(str(path))
    path.write_text("1 / 0\n")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        find_study(str(path))
    with pytest.raises(InputError, match="no such file"):
        find_study(str(tmp_path / "absent.py"))
    with pytest.raises(InputError, match="unknown study 'quickstrat': expected"):
        find_study("quickstrat")


@pytest.mark.parametrize("axis", ["dataset", "n_train", "recipe", "seeds", "width"])
def test_an_axis_that_is_one_value_is_refused(axis: str) -> None:
    given = {"n_train": (60,), "recipe": ("1989",), "seeds": (0,)} | {axis: "1989"}
    with pytest.raises(InputError, match=rf"grid: {axis} is '1989', expected a tuple"):
        Grid(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "adam"}, "optimizer is 'adam', expected one of sgd, sdlm, adamw, muon"),
        ({"schedule": "cosin"}, "schedule is 'cosin', expected one of linear, cosine, constant"),
        ({"name": "x/y"}, "recipe name 'x/y'.*no slash"),
        ({"name": "a\nb"}, "recipe name.*no control character"),
        ({"name": ""}, "recipe name ''"),
    ],
)
def test_a_recipe_that_would_train_something_else_is_refused(
    fields: dict[str, Any], message: str
) -> None:
    recipe = Recipe(**{"name": "mine", "epochs": 1, "lr": 0.1} | fields)
    info = DatasetInfo(name="d", version="1", n_train=99, n_test=9, n_val=9, note="")
    with pytest.raises(InputError, match=message):
        make_cell(info, recipe, n_train=60)


def test_a_comparison_with_a_recipe_of_no_grid_is_refused_when_the_study_is_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine.py").write_text(
        "from scaling.analyses import Compare\nfrom scaling.study import Grid, Study\n"
        "GRID = Grid(n_train=(60,), recipe=('1989', 'modern'), seeds=(0,))\n"
        "STUDY = Study(name='m', question='?', grids=(GRID,), analyses=(Compare(to='NAME'),))\n"
    )
    path = tmp_path / "mine.py"
    text = path.read_text()
    with pytest.raises(InputError, match=r"Compare compares with 'NAME', expected .*1989"):
        find_study(str(path))
    for name in ("1989", "modern", "dropout_relu"):
        path.write_text(text.replace("NAME", name))
        assert find_study(str(path)).override(recipe=("ce",)).analyses


def test_the_schema_of_plans_has_every_field_of_a_recipe() -> None:
    assert set(plan_schema._Recipe.__annotations__) == {field.name for field in fields(Recipe)}
