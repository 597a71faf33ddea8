"""Test that a training that is cut and restored ends as one that was not, in every engine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaling.data.selection import Dataset
from scaling.engines import NumericFailure, Trained, compiled, train
from scaling.engines.saved import Checkpointer, TrainingState
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.recipes.tricks import batch_norm
from scaling.store import checkpoints as module
from scaling.store.checkpoints import Checkpoints
from scaling.store.store import Store
from scaling.study import Cell, Member, make_cell, make_members

EPOCHS = 4
RECIPES = {
    "sgd": find_recipe("1989"),
    "momentum": replace(find_recipe("1989"), name="momentum", momentum=0.9, lr=0.003),
    "adamw": find_recipe("modern"),
    "second_order": find_recipe("second_order"),
    "muon": find_recipe("muon"),
    "ema": replace(find_recipe("modern"), name="averaged", ema=0.99),
    "batch_norm": batch_norm(replace(find_recipe("modern"), name="batch_norm", batch_size=8)),
}
ENGINES = [
    (engine, name)
    for engine in ("compiled", "reference", "population")
    for name in RECIPES
    if engine != "compiled" or name not in ("muon", "batch_norm")
]


class Cut(Exception):
    """As if the process were killed."""


class CutAfter:
    """A checkpointer whose process dies once it has kept the state after an epoch."""

    def __init__(self, checkpointer: Checkpointer, epoch: int) -> None:
        self.checkpointer, self.epoch = checkpointer, epoch

    def load(self) -> TrainingState | None:
        return self.checkpointer.load()

    def save_if_due(self, saved: Callable[[], TrainingState]) -> None:
        self.checkpointer.save_if_due(saved)
        if saved().epoch == self.epoch:
            raise Cut

    def remove(self) -> None:
        self.checkpointer.remove()


@pytest.fixture(autouse=True)
def _always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALING_CHECKPOINT_S", "0")


def cell_of(data: Dataset, recipe: Recipe) -> Cell:
    return make_cell(data.info, replace(recipe, epochs=EPOCHS), n_train=40, n_test=30)


def trained(
    cell: Cell,
    members: Sequence[Member],
    data: Dataset,
    engine: str,
    checkpointer_of: Callable[[Sequence[Member], str, str], Checkpointer] | None = None,
) -> list[Trained | NumericFailure]:
    return list(
        train(
            cell,
            members,
            data,
            engine=engine,
            epochs_evaluated=range(1, EPOCHS),
            checkpointer_of=checkpointer_of,
        )
    )


def assert_equal(
    got: Sequence[Trained | NumericFailure], expected: Sequence[Trained | NumericFailure]
) -> None:
    for one, other in zip(got, expected, strict=True):
        if isinstance(one, NumericFailure) or isinstance(other, NumericFailure):
            assert one == other
            continue
        times = {"wall_s": 0.0, "cpu_s": 0.0}
        assert [replace(e, **times) for e in one.history] == [
            replace(e, **times) for e in other.history
        ]
        assert [e.wall_s for e in one.history] == sorted(e.wall_s for e in one.history)
        assert (one.predicted == other.predicted).all()
        for name, weights in other.weights.items():
            np.testing.assert_array_equal(one.weights[name], weights, err_msg=name)


@pytest.mark.parametrize(("engine", "recipe"), ENGINES)
def test_what_was_cut_goes_on_to_the_same_bits(
    random_data: Dataset, tmp_path: Path, engine: str, recipe: str
) -> None:
    if engine == "compiled" and compiled.unavailable():
        pytest.skip("the compiled engine is missing")
    cell = cell_of(random_data, RECIPES[recipe])
    members = make_members(cell.recipe, (0, 1, 2))
    store, said = Store(tmp_path), list[str]()

    def cut(some: Sequence[Member], engine: str, device: str) -> Checkpointer:
        return CutAfter(Checkpoints(store, said.append).of(cell, some, engine, device), 2)

    with pytest.raises(Cut):
        trained(cell, members, random_data, engine, cut)
    kept = Checkpoints(store, said.append)
    assert len(kept.names) == 1
    loaded = list[TrainingState | None]()

    def note(some: Sequence[Member], engine: str, device: str) -> Checkpointer:
        checkpointer = kept.of(cell, some, engine, device)
        loaded.append(checkpointer.load())
        return checkpointer

    whole = trained(cell, members, random_data, engine)
    assert_equal(trained(cell, members, random_data, engine, note), whole)
    assert loaded[0]
    assert loaded[0].epoch == 2
    assert not Checkpoints(store, said.append).names, "what is stored needs no checkpoint"
    assert not said


def test_members_that_failed_before_the_cut_stay_failed(
    random_data: Dataset, tmp_path: Path
) -> None:
    """Two of three leave the population in its first epoch; a cut follows."""
    recipe = replace(RECIPES["sgd"], activation="relu", output="linear")
    cell = cell_of(random_data, recipe)
    (good,) = make_members(cell.recipe, (0,))
    members = [replace(good, lr=1e8), good, replace(good, seed=1, lr=1e8)]
    store = Store(tmp_path)

    def cut(some: Sequence[Member], engine: str, device: str) -> Checkpointer:
        return CutAfter(Checkpoints(store, pytest.fail).of(cell, some, engine, device), 2)

    with pytest.raises(Cut):
        trained(cell, members, random_data, "population", cut)
    keep = Checkpoints(store, pytest.fail)
    got = trained(cell, members, random_data, "population", lambda *a: keep.of(cell, *a))
    assert [isinstance(result, NumericFailure) for result in got] == [True, False, True]
    assert_equal(got, trained(cell, members, random_data, "population"))


def keep_one(cell: Cell, members: Sequence[Member], data: Dataset, store: Store) -> str:
    """The name of a checkpoint of these members, cut after an epoch."""
    keep = Checkpoints(store, pytest.fail)
    with pytest.raises(Cut):
        trained(cell, members, data, "reference", lambda *a: CutAfter(keep.of(cell, *a), 1))
    (name,) = keep.names
    return name


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda body: body[:-40], "cannot be read"),
        (lambda body: body[: len(body) // 2], "cannot be read"),
        (lambda body: body[:3000] + bytes([body[3000] ^ 1]) + body[3001:], "cannot be read"),
        (lambda _: b"", "cannot be read"),
    ],
    ids=["its end", "its half", "a bit", "all"],
)
def test_a_torn_checkpoint_is_said_and_not_used(
    random_data: Dataset, tmp_path: Path, damage: Callable[[bytes], bytes], why: str
) -> None:
    cell, store, said = cell_of(random_data, RECIPES["sgd"]), Store(tmp_path), list[str]()
    members = make_members(cell.recipe, (0,))
    name = keep_one(cell, members, random_data, store)
    store.write_file(name, damage(store.read_file(name) or b""))
    checkpoint = Checkpoints(store, said.append).of(cell, members, "reference", "cpu")
    assert checkpoint.load() is None
    assert len(said) == 1
    assert why in said[0]


def test_a_checkpoint_of_something_else_is_said_and_not_used(
    random_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, store, said = cell_of(random_data, RECIPES["sgd"]), Store(tmp_path), list[str]()
    members = make_members(cell.recipe, (0, 1))
    name = keep_one(cell, members[:1], random_data, store)
    keep = Checkpoints(store, said.append)
    assert keep.of(cell, members[:1], "reference", "cpu").load()
    assert keep.of(cell, members[1:], "reference", "cpu").load() is None, "there is none"
    assert not said
    assert keep.of(cell, members[:1], "compiled", "cpu").load() is None
    store.write_file(name.replace("-s0-", "-s1-"), store.read_file(name) or b"")
    other = f"checkpoints/{cell.run_id(members[1])}.npz"
    store.write_file(other, store.read_file(name) or b"")
    keep = Checkpoints(store, said.append)
    assert keep.of(cell, members[1:], "reference", "cpu").load() is None
    monkeypatch.setattr(module, "_code", lambda: {"code": "newer"})
    assert keep.of(cell, members[:1], "reference", "cpu").load() is None
    assert [line.split("it is of other ")[1].split(":")[0] for line in said] == [
        "engine",
        "runs",
        "code",
    ]


def test_a_checkpoint_that_cannot_be_written_stops_nothing(
    random_data: Dataset, tmp_path: Path
) -> None:
    cell, said = cell_of(random_data, RECIPES["sgd"]), list[str]()
    members = make_members(cell.recipe, (0,))
    keep = Checkpoints(Store(tmp_path), said.append)
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    got = trained(cell, members, random_data, "reference", lambda *a: keep.of(cell, *a))
    assert_equal(got, trained(cell, members, random_data, "reference"))
    assert len(said) == EPOCHS - 1
    assert "cannot be written" in said[0]


def test_between_two_checkpoints_is_a_minute_of_work(
    random_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCALING_CHECKPOINT_S")
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    cell, store = cell_of(random_data, RECIPES["sgd"]), Store(tmp_path)
    members = make_members(cell.recipe, (0,))
    checkpoint = Checkpoints(store, pytest.fail).of(cell, members, "reference", "cpu")
    kept = []

    def saved() -> TrainingState:
        kept.append(now[0])
        return TrainingState(
            epoch=1, wall_s=0, cpu_s=0, histories=((),), failures=(None,), arrays={}
        )

    for now[0] in (10.0, 59.0, 61.0, 100.0, 120.0, 122.0):
        checkpoint.save_if_due(saved)
    assert kept == [61.0, 122.0]
