"""Draws are a pure function of seed, presentation and position, and look like chance."""

import numpy as np
import pytest

from scaling.data.counter_rng import keep_mask, presentation_keys, shifts

KEYS = presentation_keys(7, 0, 20_000)


def test_keys_do_not_depend_on_where_a_batch_starts() -> None:
    parts = [presentation_keys(7, start, 3000) for start in (0, 3000, 6000)]
    assert (np.concatenate(parts) == KEYS[:9000]).all()


@pytest.mark.parametrize("seeds", [(0, 1), (1, 2**32 + 1), (3, 2**33 + 3)])
def test_seeds_have_streams_of_their_own(seeds: tuple[int, int]) -> None:
    a, b = (presentation_keys(seed, 0, 10_000) for seed in seeds)
    assert (a == b).sum() <= 1
    assert abs(np.corrcoef(a.astype(float), b.astype(float))[0, 1]) < 0.05


def test_a_counter_that_would_repeat_is_refused() -> None:
    with pytest.raises(OverflowError):
        presentation_keys(0, 2**32 - 5, 6)


def test_shifts_are_uniform_and_independent() -> None:
    rows, columns = shifts(KEYS, 1)
    counts = np.histogram2d(rows, columns, bins=[[-1.5, -0.5, 0.5, 1.5]] * 2)[0]
    assert counts.sum() == len(KEYS)
    chi2 = ((counts - len(KEYS) / 9) ** 2 / (len(KEYS) / 9)).sum()
    assert chi2 < 26.1  # 99.9 % of chi-squared with 8 degrees of freedom


def test_dropout_drops_at_its_rate_in_every_unit_and_independently() -> None:
    keep = keep_mask(KEYS, 192, 0.25)
    sd = np.sqrt(0.25 * 0.75 / len(KEYS))
    assert np.abs(keep.mean(axis=0) - 0.75).max() < 4.5 * sd
    pairs = np.corrcoef(keep[:, :40].T)[np.triu_indices(40, 1)]
    assert np.abs(pairs).max() < 4.5 / np.sqrt(len(KEYS))
    along = np.corrcoef(keep[:-1, 0], keep[1:, 0])[0, 1]
    assert abs(along) < 4 / np.sqrt(len(KEYS))


def test_dropout_does_not_follow_the_shift() -> None:
    rows, _ = shifts(KEYS, 1)
    by_row = [keep_mask(KEYS[rows == row], 192, 0.25).mean() for row in (-1, 0, 1)]
    assert max(by_row) - min(by_row) < 0.003
