"""Test the Optuna study of a tuning: published values first, resumed, counted once."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from jobs.execution.worker import train_job
from jobs.planning.cost import plan_job
from jobs.tuning import optuna_study
from jobs.tuning.objective import stored_objective
from jobs.tuning.optuna_study import PATIENCE, STARTUP, Suggestion, Suggestions
from jobs.tuning.search_space import choose_space
from scaling.data import datasets
from scaling.errors import InputError
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.store.store import Store
from scaling.study import Job, make_cell, make_members

LR = ("lr",)


def job_of(path: Path, recipe: Recipe | None = None, seeds: tuple[int, ...] = (0, 1)) -> Job:
    source, info = datasets.find(str(path))
    recipe = recipe or find_recipe("1989")
    cell = make_cell(info, recipe, n_train=60, split="tune")
    return Job(cell=cell, members=make_members(recipe, seeds), source=source)


def opened(
    store: Store, job: Job, total: int, space: tuple[str, ...] = LR, name: str = "t"
) -> Suggestions:
    store.check_writable()
    return Suggestions(name, job, choose_space(job.cell.recipe, space), total, store)


def pretend(monkeypatch: pytest.MonkeyPatch, error: Callable[[float], float | None]) -> None:
    """Results as if models with this learning rate had been trained."""
    monkeypatch.setattr(optuna_study, "stored_objective", lambda job, _: error(job.members[0].lr))


class Trained:
    """Results that appear as suggestions are trained; counts what is trained."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Callable[[float], float]) -> None:
        self.error, self.stored, self.order = error, dict[float, float](), list[float]()
        pretend(monkeypatch, self.stored.get)

    def train(self, suggestion: Suggestion) -> None:
        lr = suggestion.values["lr"]
        assert lr not in self.stored
        self.order.append(lr)
        self.stored[lr] = self.error(lr)

    def drain(self, suggestions: Suggestions) -> None:
        while (new := suggestions.next()) is not None:
            self.train(new)
            assert suggestions.settle(new)


def valley(lr: float) -> float:
    """Best at 0.02."""
    return 0.05 + 0.01 * math.log(lr / 0.02) ** 2


def test_the_published_values_come_first_and_an_even_spread_next(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Trained(monkeypatch, valley)
    suggestions = opened(Store(tmp_path), job_of(tiny_npz), STARTUP)
    trained.drain(suggestions)
    assert trained.order[0] == 0.03
    positions = sorted(math.log(lr / 0.03) / math.log(8) for lr in trained.order)
    gaps = [b - a for a, b in pairwise(positions)]
    assert len(trained.order) == len(set(trained.order)) == STARTUP
    assert max(gaps) < 0.6
    assert positions[0] < -0.7
    assert positions[-1] > 0.7


def test_the_sampler_goes_where_the_errors_are_low(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Trained(monkeypatch, valley)
    suggestions = opened(Store(tmp_path), job_of(tiny_npz), 24)
    trained.drain(suggestions)
    assert len(trained.order) == 24
    best = suggestions.best()
    assert best is not None
    assert best.values["lr"] == pytest.approx(0.02, rel=0.3)
    late = sorted(abs(math.log(lr / 0.02)) for lr in trained.order[STARTUP:])
    early = sorted(abs(math.log(lr / 0.02)) for lr in trained.order[:STARTUP])
    assert late[len(late) // 2] < early[len(early) // 2]


@pytest.mark.parametrize("local", [True, False], ids=["folder", "as on an object store"])
def test_opened_anew_at_every_step_it_makes_the_same_suggestions(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: bool
) -> None:
    """As if the driver were killed again and again, before and after each training."""
    whole = Trained(monkeypatch, valley)
    whole.drain(opened(Store(tmp_path / "whole"), job_of(tiny_npz), 12))
    cut = Trained(monkeypatch, valley)

    def reopened() -> Suggestions:
        store = Store(tmp_path / "cut")
        store.is_local = local
        return opened(store, job_of(tiny_npz), 12)

    for _ in range(12):
        new = reopened().next()
        assert new is not None
        again = reopened().next()
        assert again is not None
        assert (again.number, again.values) == (new.number, new.values)
        cut.train(again)  # and killed before the sampler is told
    last = reopened()
    assert last.next() is None
    assert cut.order == whole.order
    assert len(last.finished()) == 12


def test_a_study_that_is_done_can_be_extended(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Trained(monkeypatch, valley)
    trained.drain(opened(Store(tmp_path), job_of(tiny_npz), 5))
    trained.drain(opened(Store(tmp_path), job_of(tiny_npz), 9))
    assert len(trained.order) == 9
    trained.drain(opened(Store(tmp_path), job_of(tiny_npz), 4))
    assert len(trained.order) == 9


@pytest.mark.parametrize("done", [0, 3, 9])
def test_killed_before_values_were_drawn_the_same_are_drawn_in_the_same_order(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    whole = Trained(monkeypatch, valley)
    whole.drain(opened(Store(tmp_path / "whole"), job_of(tiny_npz), 12))
    cut = Trained(monkeypatch, valley)
    cut.drain(opened(Store(tmp_path / "cut"), job_of(tiny_npz), done))
    opened(Store(tmp_path / "cut"), job_of(tiny_npz), 12).study.ask()  # and killed
    cut.drain(opened(Store(tmp_path / "cut"), job_of(tiny_npz), 12))
    assert cut.order == whole.order


def test_the_journal_is_an_optuna_study_that_anybody_can_load(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trained(monkeypatch, valley).drain(opened(Store(tmp_path), job_of(tiny_npz), 6))
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "tuning" / "t.journal"))
    study = optuna.load_study(study_name="t", storage=optuna.storages.JournalStorage(backend))
    done = study.get_trials(states=[TrialState.COMPLETE])
    assert len(done) == 6
    assert study.best_value == pytest.approx(min(valley(t.params["lr"]) for t in done), rel=0.01)


def test_a_best_at_the_edge_widens_the_range_by_a_rule_that_is_kept(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Trained(monkeypatch, lambda lr: 0.05 + 0.01 * math.log(lr / 1.0) ** 2)
    suggestions = opened(Store(tmp_path), job_of(tiny_npz), 30)
    trained.drain(suggestions)
    first, second = suggestions.widened[:2] if len(suggestions.widened) > 1 else (
        suggestions.widened[0], None
    )  # fmt: skip
    assert (first["name"], first["side"]) == ("lr", "high")
    assert first["after"] >= STARTUP
    assert first["from"] == pytest.approx([0.00375, 0.24])
    assert first["to"] == pytest.approx([0.00375, 0.96])
    if second:
        assert second["after"] >= first["after"] + PATIENCE
    best = suggestions.best()
    assert best is not None
    assert best.values["lr"] > 0.3
    described = opened(Store(tmp_path), job_of(tiny_npz), 30).describe()
    assert described["widened"] == suggestions.widened
    assert described["space"][0]["range"][1] == suggestions.ranges["lr"][1] > 0.24


def test_what_became_nan_is_failed_counted_and_avoided(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Trained(monkeypatch, lambda lr: valley(lr) if lr < 0.1 else math.nan)
    suggestions = opened(Store(tmp_path), job_of(tiny_npz), 24)
    trained.drain(suggestions)
    finished = suggestions.finished()
    failed = [n for n, value in finished.items() if value is None]
    assert len(finished) == 24
    assert failed
    assert sum(n >= STARTUP for n in failed) <= 3
    json.dumps(suggestions.describe(), allow_nan=False)


def test_a_small_space_ends_when_there_is_nothing_new(
    tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        optuna_study,
        "stored_objective",
        lambda job, _: 0.1 if job.cell.recipe.epochs in seen else None,
    )
    job = job_of(tiny_npz, Recipe(name="short", epochs=1, lr=0.1))
    suggestions = opened(Store(tmp_path), job, 40, space=("epochs",))
    while (new := suggestions.next()) is not None:
        epochs = new.job.cell.recipe.epochs
        assert epochs not in seen
        seen.append(epochs)
        suggestions.settle(new)
    assert len(seen) < 40
    assert set(range(1, 5)) <= set(seen)


def test_another_cell_or_other_seeds_need_a_name_of_their_own(
    tiny_npz: Path, tmp_path: Path
) -> None:
    opened(Store(tmp_path), job_of(tiny_npz), 3)
    with pytest.raises(InputError, match="--name"):
        opened(Store(tmp_path), job_of(tiny_npz, seeds=(0, 1, 2)), 3)
    with pytest.raises(InputError, match="--name"):
        opened(Store(tmp_path), job_of(tiny_npz), 3, space=("lr", "epochs"))
    opened(Store(tmp_path), job_of(tiny_npz, seeds=(0, 1, 2)), 3, name="other")


def test_the_objective_is_what_the_rows_say(tiny_npz: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    job = job_of(tiny_npz, Recipe(name="short", epochs=2, lr=0.1))
    store.check_writable()
    assert stored_objective(job, store) is None
    half = Job(cell=job.cell, members=job.members[:1], source=job.source)
    train_job(plan_job(half, "cpu"), store, "t", lambda _: None)
    assert stored_objective(job, store) is None, "one seed is missing"
    train_job(plan_job(job, "cpu"), store, "t", lambda _: None)
    rows = store.read("metrics").table.to_pylist()
    misses = sum(row["val_misses"] for row in rows if row["epoch"] == 2)
    value = stored_objective(job, store)
    assert value is not None
    assert misses < value * 2 * 60 < misses + 0.5
    bad = job_of(tiny_npz, Recipe(name="bad", epochs=2, lr=1e30))
    train_job(plan_job(bad, "cpu"), store, "t", lambda _: None)
    assert math.isnan(stored_objective(bad, store) or 0.0)
