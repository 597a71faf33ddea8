"""Test the search space: ranges hold the published value, widen by a rule, and round to names."""

from dataclasses import replace

import pytest

from jobs.tuning.define import make_tuning
from jobs.tuning.search_space import TUNABLES, Tunable, choose_space, suggested
from scaling.errors import InputError
from scaling.recipes.registry import find_recipe

# A recipe that uses every value there is.
ALL = replace(
    find_recipe("dropout_relu"),
    name="all",
    momentum=0.9,
    ema=0.999,
    label_smoothing=0.05,
    mixup=0.2,
    elastic=1.0,
)


def names(space: tuple[Tunable, ...]) -> list[str]:
    return [tunable.name for tunable in space]


@pytest.mark.parametrize("tunable", TUNABLES.values(), ids=lambda t: t.name)
def test_a_range_holds_the_published_value_away_from_its_edges(tunable: Tunable) -> None:
    within = tunable.first_range(ALL)
    published = getattr(ALL, tunable.name)
    assert tunable.limits[0] <= within[0] < published < within[1] <= tunable.limits[1]
    assert tunable.edge(published, within) is None
    for position in (0.0, 0.2, 1.0):
        assert tunable.position(tunable.at(position, within), within) == pytest.approx(position)
    assert tunable.edge(within[0], within) == "low"
    assert tunable.edge(within[1], within) == "high"


@pytest.mark.parametrize("tunable", TUNABLES.values(), ids=lambda t: t.name)
def test_a_range_widens_on_one_side_up_to_its_limit(tunable: Tunable) -> None:
    within = tunable.first_range(ALL)
    low, high = tunable.widened(within, "low"), tunable.widened(within, "high")
    assert low[1] == within[1]
    assert high[0] == within[0]
    assert high[1] > within[1]
    assert low[0] < within[0] or low[0] == tunable.limits[0]
    for _ in range(60):
        high = tunable.widened(high, "high")
    assert high[1] == tunable.limits[1]


@pytest.mark.parametrize("tunable", TUNABLES.values(), ids=lambda t: t.name)
def test_rounding_keeps_published_values_and_is_stable(tunable: Tunable) -> None:
    within = tunable.first_range(ALL)
    assert tunable.rounded(getattr(ALL, tunable.name)) == getattr(ALL, tunable.name)
    for position in (0.123, 0.456, 0.789):
        once = tunable.rounded(tunable.at(position, within))
        assert tunable.rounded(once) == once
        assert len(f"{once:g}") <= 9


def test_only_what_a_recipe_uses_is_tuned() -> None:
    assert names(choose_space(find_recipe("1989"), None)) == ["lr", "epochs"]
    assert names(choose_space(find_recipe("modern"), None)) == ["lr", "weight_decay", "epochs"]
    assert names(choose_space(find_recipe("modern"), None, fixed=["epochs"])) == [
        "lr", "weight_decay"
    ]  # fmt: skip
    assert set(names(choose_space(ALL, ["all"]))) == set(TUNABLES)
    assert names(choose_space(find_recipe("no_decay"), ["all"])) == ["lr", "epochs", "dropout"]


@pytest.mark.parametrize(
    ("space", "fixed", "message"),
    [
        (["weight_decay"], [], "--space weight_decay with recipe 1989: is not a value it uses"),
        (["epochs"], ["epochs"], "--space epochs with recipe 1989: is fixed"),
        (["speed"], [], "--space speed"),
    ],
)
def test_other_values_are_refused(space: list[str], fixed: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_space(find_recipe("1989"), space, fixed=fixed)


def test_learning_rate_and_decay_are_of_the_members_the_rest_of_the_cell() -> None:
    recipe = replace(ALL, momentum=0.0)  # which is SGD's
    job = make_tuning(dataset="strokes", n_train=50, recipe=recipe, suggestions=1, seeds=(0, 1)).job
    same = suggested(job, {"lr": 0.5, "weight_decay": 0.25})
    assert same.cell == job.cell
    assert [(m.seed, m.lr, m.weight_decay) for m in same.members] == [
        (0, 0.5, 0.25),
        (1, 0.5, 0.25),
    ]
    other = suggested(job, {"dropout": 0.125, "epochs": 7})
    assert other.members == job.members
    assert other.cell.cell_id != job.cell.cell_id
    recipe = other.cell.recipe
    assert (recipe.name, recipe.dropout, recipe.epochs) == ("all", 0.125, 7)
