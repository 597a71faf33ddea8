"""Test the members of a population: what is separate, and the effect of lock-step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lockstep import STEPS, assert_equal, recipe, train

from scaling.data.augment import present
from scaling.data.counter_rng import keep_mask, presentation_keys, shifts
from scaling.data.selection import Dataset, Examples, select, shift_images
from scaling.engines import NumericFailure, Trained, population
from scaling.engines.population.engine import train_population
from scaling.engines.population.epoch_batches import EpochBatches
from scaling.engines.population.images import Images
from scaling.models.registry import initial_weights
from scaling.recipes.recipe import Recipe
from scaling.recipes.registry import find_recipe
from scaling.study import Member, make_cell, make_members

pytestmark = pytest.mark.usefixtures("recorded")


MIXED = (  # learning rates as multiples of the recipe's
    Member(seed=3, lr=1.0, weight_decay=0.1),
    Member(seed=1, lr=0.3, weight_decay=0.0),
    Member(seed=8, lr=0.7, weight_decay=0.01),
    Member(seed=1, lr=0.5, weight_decay=0.01),
    Member(seed=5, lr=0.9, weight_decay=0.0),
)


ALONGSIDE = {
    "1989": recipe("1989"),
    "modern": recipe("modern"),
    "modern with batches": recipe("modern", batch_size=7),
    "muon": recipe("ce", optimizer="muon"),
}


@pytest.mark.parametrize("how", ALONGSIDE.values(), ids=ALONGSIDE)
def test_a_member_does_not_depend_on_what_trains_beside_it(
    random_data: Dataset, how: Recipe
) -> None:
    """Bit for bit in its place among as many; in another place, or alone, up to rounding."""
    cell = make_cell(random_data.info, how, n_train=STEPS // 2, n_test=100)
    members = [replace(member, lr=member.lr * how.lr) for member in MIXED]
    together = train(random_data, cell, members)
    others = [replace(member, seed=member.seed + 20, lr=how.lr) for member in members]
    beside = train(random_data, cell, [*others[:3], members[3], *others[4:]])
    assert_equal(beside[3], together[3])
    (alone,) = train(random_data, cell, [members[4]])
    for name, weights in alone.weights.items():
        assert np.quantile(np.abs(weights - together[4].weights[name]), 0.999) < 2e-6


def test_who_fails_is_named_and_leaves_the_others_as_they_are(random_data: Dataset) -> None:
    """Bit for bit, while fewer than half have failed; then the others move together."""
    how = recipe("1989", output="linear", epochs=3)
    cell = make_cell(random_data.info, how, n_train=15, n_test=50)
    sound = make_members(how, range(5))
    wild = [replace(member, lr=1e4) for member in make_members(how, range(10, 15))]

    def results(*members: Member) -> list[Trained | NumericFailure]:
        return list(
            train_population(cell, members, random_data, device="cpu", epochs_evaluated=[1])
        )

    among = results(wild[0], sound[1], sound[2], wild[3], sound[4])
    for k in (0, 3):
        failed = among[k]
        assert isinstance(failed, NumericFailure)
        assert failed.member == wild[k]
        assert "epoch 1 of 3 (learning rate 10000)" in failed.error
    expected = results(*sound)
    for k in (1, 2, 4):
        assert_equal(among[k], expected[k])
    few = results(sound[0], wild[1], wild[2], wild[3], sound[4])
    for k in (0, 4):
        ours, theirs = few[k], expected[k]
        assert isinstance(ours, Trained)
        assert isinstance(theirs, Trained)
        assert [e.epoch for e in ours.history] == [1, 3]
        assert all(np.abs(ours.weights[n] - theirs.weights[n]).max() < 2e-6 for n in ours.weights)


def test_when_all_have_failed_nothing_is_left_to_do(random_data: Dataset) -> None:
    how = recipe("1989", output="linear", lr=1e38)
    cell = make_cell(random_data.info, how, n_train=20)
    results = list(
        train_population(
            cell, make_members(how, (0, 1)), random_data, device="cpu", epochs_evaluated=[]
        )
    )
    assert [type(result) for result in results] == [NumericFailure] * 2


def test_more_members_than_fit_are_trained_in_turns(
    random_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = recipe("1989")
    cell = make_cell(random_data.info, how, n_train=10, n_test=20)
    members = make_members(how, (4, 2, 0, 1, 3))
    together = train(random_data, cell, members)
    monkeypatch.setitem(population.MOST_MEMBERS, "cpu", 2)
    for result, expected in zip(train(random_data, cell, members), together, strict=True):
        assert result.member == expected.member
        assert (result.predicted == expected.predicted).all()
        assert np.abs(result.weights["h3_weight"] - expected.weights["h3_weight"]).max() < 2e-6


def test_as_many_members_at_once_as_fit_the_caches(random_data: Dataset) -> None:
    def at_once(width: float) -> int:
        cell = make_cell(random_data.info, find_recipe("1989"), n_train=1, width=width)
        return population.max_members(cell, "cpu")

    assert [at_once(width) for width in (1, 4, 8, 64)] == [32, 29, 7, 1]


@pytest.mark.parametrize("val_in_train", [True, False])
def test_the_split_tune_validates_on_the_same_images(
    random_data: Dataset, val_in_train: bool
) -> None:
    data = random_data
    if not val_in_train:
        info = replace(data.info, val_in_train=False)
        data = replace(data, info=info, x_val=data.x_test[:100], y_val=data.y_test[:100])
    how = recipe("1989")
    cell = make_cell(data.info, how, n_train=40, n_test=50, split="tune")
    members = make_members(how, (0, 3))
    ours, theirs = (train(data, cell, members, engine) for engine in ("population", "reference"))
    for mine, other in zip(ours, theirs, strict=True):
        scores = [(e.val, o.val) for e, o in zip(mine.history, other.history, strict=True)]
        assert len(scores) == 2
        for val, expected in scores:
            assert val is not None
            assert expected is not None
            assert (val.n, val.misses) == (expected.n, expected.misses) == (100, val.misses)
            assert val.loss == pytest.approx(expected.loss, rel=1e-5)


def test_members_may_start_with_given_weights(random_data: Dataset) -> None:
    how = recipe("1989")
    cell = make_cell(random_data.info, how, n_train=10, n_test=20)
    members = make_members(how, (0, 1))

    def start(member: Member) -> dict[str, np.ndarray]:
        return initial_weights(cell.sizes, how, member.seed + 50)

    ours, theirs = (
        train(random_data, cell, members, engine, start=start)
        for engine in ("population", "reference")
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert all(np.abs(mine.weights[k] - other.weights[k]).max() < 1e-6 for k in mine.weights)


def test_each_member_sees_its_own_images_in_its_own_order(random_data: Dataset) -> None:
    """With shifts, mixing, distortion and dropout as one model's are drawn."""
    how = recipe("modern", mixup=0.3, elastic=1.0, shift=2, shift_fill="background")
    n, seeds, epoch, units = 30, [5, 2], 3, 192
    chosen = [select(random_data, n_train=n, n_test=1, split="none", seed=s).train for s in seeds]
    pool = Examples(
        x=np.concatenate([c.x for c in chosen]), y=np.concatenate([c.y for c in chosen])
    )
    images = Images(
        torch.from_numpy(pool.x),
        torch.from_numpy(pool.y).long(),
        torch.arange(2 * n).view(2, n),
    )
    at = slice(7, 19)
    shown = EpochBatches.of(how, images, units, seeds, epoch).prepare(at)
    assert shown.keep_KCU is not None
    for k, seed in enumerate(seeds):
        keys = presentation_keys(seed, (epoch - 1) * n, n)
        one = present(chosen[k], how, keys)
        x = shift_images(one.x, *shifts(keys, how.shift), how.shift_fill)[at]
        np.testing.assert_allclose(shown.x_KCHW[k].numpy(), x, atol=1e-6)
        keep = keep_mask(keys[at], units, how.dropout).astype(np.float32)
        keep /= np.float32(1 - how.dropout)
        assert (shown.keep_KCU[k].numpy() == keep).all()
        target = np.zeros((n, 10))
        np.add.at(target, (np.arange(n), one.y), one.share)
        np.add.at(target, (np.arange(n), one.other), 1 - one.share)
        np.testing.assert_allclose(shown.target_KC10[k].numpy(), target[at], atol=1e-6)
