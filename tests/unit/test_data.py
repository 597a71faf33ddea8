"""Rules of the data: subsets, validation, test sets, augmentation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.data import datasets, drawn
from scaling.data.selection import (
    Dataset,
    DatasetInfo,
    select,
    shift_images,
    test_order,
    training_order,
)
from scaling.errors import InputError

MNIST = datasets.describe("mnist")
STROKES = datasets.describe("strokes")
test_order.__test__ = False  # type: ignore[attr-defined]  # a function of ours, no test


@given(st.integers(0, 1000), st.integers(1, 60_000), st.integers(1, 60_000))
def test_subsets_are_nested_within_a_seed(seed: int, n: int, m: int) -> None:
    small, large = sorted((n, m))
    order = training_order(MNIST, large, seed)
    assert (training_order(MNIST, small, seed) == order[:small]).all()
    assert len(np.unique(order)) == large
    assert order.max() < 60_000


def test_subsets_are_drawn_anew_for_each_seed() -> None:
    first, second = (set(training_order(MNIST, 7291, seed)) for seed in (0, 1))
    expected = 7291**2 / 60_000
    assert abs(len(first & second) - expected) < 5 * expected**0.5


def test_an_endless_data_set_is_permuted_block_by_block() -> None:
    block = drawn.BLOCK
    order = training_order(STROKES, block + 1000, 3)
    assert len(np.unique(order)) == block + 1000
    assert sorted(order[:block]) == list(range(block))
    assert order[block:].min() >= block
    assert (training_order(STROKES, 911, 3) == order[:911]).all()


def test_validation_is_the_last_10000_of_the_seeds_permutation(random_data: Dataset) -> None:
    order = training_order(random_data.info, 500, seed=4)
    chosen = select(random_data, n_train=400, n_test=200, split="tune", seed=4)
    assert chosen.val is not None
    np.testing.assert_array_equal(chosen.val.x, random_data.x_train[order[400:]])
    np.testing.assert_array_equal(chosen.train.x, random_data.x_train[order[:400]])
    assert MNIST.n_val == 10_000
    assert datasets.describe("usps").n_val == 7291 // 5


def test_validation_of_drawn_digits_has_a_range_of_its_own(strokes_data: Dataset) -> None:
    first, second = (
        select(strokes_data, n_train=10, n_test=10, split="tune", seed=seed).val for seed in (0, 1)
    )
    assert first is not None
    assert second is not None
    assert len(first) == 10_000
    assert (first.x == second.x).all()
    assert (
        not (first.x[:100, None] == strokes_data.x_test[None, :100] / 127.5 - 1).all((2, 3)).any()
    )


@pytest.mark.parametrize(
    ("n_train", "n_test", "split", "message"),
    [
        (60_001, 10, "none", "60,001 on mnist: expected 1 to 60,000"),
        (50_001, 10, "tune", "1 to 50,000 training images .10,000 more are the validation"),
        (0, 10, "none", "expected 1 to"),
        (10, 10_001, "none", "n_test 10,001 on mnist: expected 1 to 10,000"),
        (10, 0, "none", "expected 1 to 10,000"),
    ],
)
def test_more_images_than_there_are_is_an_error(
    n_train: int, n_test: int, split: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        MNIST.check(n_train, n_test, split)  # type: ignore[arg-type]


def test_the_test_set_is_the_same_for_every_seed_and_size(random_data: Dataset) -> None:
    chosen = [
        select(random_data, n_train=n, n_test=70, split="none", seed=seed)
        for n, seed in ((10, 0), (500, 1))
    ]
    assert (chosen[0].test.x == chosen[1].test.x).all()
    everything = select(random_data, n_train=10, n_test=200, split="none", seed=0)
    assert (everything.test.y == random_data.y_test).all()


def test_a_smaller_test_set_is_a_fixed_random_subset() -> None:
    order = test_order(MNIST, 2007)
    assert (order == test_order(MNIST, 2007)).all()
    assert len(np.unique(order)) == 2007
    assert abs(order.mean() - 5000) < 5 * 10_000 / np.sqrt(12 * 2007)  # not the first ones


def test_test_sets_are_named_by_data_version_and_size() -> None:
    ids = {
        MNIST.test_set_id(2007),
        MNIST.test_set_id(10_000),
        replace(MNIST, version="1").test_set_id(2007),
        STROKES.test_set_id(2007),
    }
    assert len(ids) == 4


def test_greys_reach_the_network_between_minus_one_and_one(strokes_data: Dataset) -> None:
    chosen = select(strokes_data, n_train=300, n_test=10, split="none", seed=0)
    assert chosen.train.x.dtype == np.float32
    assert chosen.train.x.min() == -1
    assert 0.9 < chosen.train.x.max() <= 1


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_shifts_wrap_around_as_published(row: int, column: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 16, 16)).astype(np.float32)
    moved = shift_images(x, np.array([row, 0]), np.array([column, 0]))
    np.testing.assert_array_equal(moved[0], np.roll(x[0], (row, column), (0, 1)))
    np.testing.assert_array_equal(moved[1], x[1])


def test_shifts_may_bring_in_the_background() -> None:
    x = np.random.default_rng(0).normal(size=(1, 16, 16)).astype(np.float32)
    (moved,) = shift_images(x, np.array([3]), np.array([-2]), "background")
    np.testing.assert_array_equal(moved[3:, :-2], x[0, :-3, 2:])
    assert (moved[:3] == -1).all()
    assert (moved[:, -2:] == -1).all()


def test_images_taken_from_several_files_are_those_of_one() -> None:
    block = drawn.BLOCK
    parts = [np.arange(block), np.arange(block, block + 50)]
    blocks = drawn.Blocks([part[:, None] for part in parts])
    wanted = np.array([block + 3, 0, block - 1, block, 7])
    assert len(blocks) == block + 50
    assert blocks[wanted][:, 0].tolist() == wanted.tolist()


def test_a_description_without_blocks_permutes_everything() -> None:
    info = DatasetInfo(name="a", version="1", n_train=9, n_test=1, n_val=1)
    assert sorted(training_order(info, 9, 0)) == list(range(9))
