"""Mixed and distort images: the draws, what they do, and that they depend on nothing else."""

from dataclasses import replace

import numpy as np
from scipy import stats

from scaling.data.augment import distort, mixup_partners, present
from scaling.data.counter_rng import presentation_keys
from scaling.data.selection import Examples
from scaling.recipes.registry import find_recipe

KEYS = presentation_keys(0, 0, 4000)
RECIPE = find_recipe("1989")


def test_without_such_tricks_the_images_are_the_examples_own() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (5, 16, 16)).astype(np.float32)
    examples = Examples(x=x, y=np.arange(5, dtype=np.uint8))
    shown = present(examples, RECIPE, KEYS[:5])
    assert shown.x is x
    assert (shown.share == 1).all()


def test_shares_follow_the_beta_distribution_and_partners_are_uniform() -> None:
    partner, share = mixup_partners(KEYS, 50, 0.2)
    assert stats.kstest(share, stats.beta(0.2, 0.2).cdf).pvalue > 0.001
    counts = np.bincount(partner, minlength=50)
    assert stats.chisquare(counts).pvalue > 0.001
    assert abs(np.corrcoef(partner, share)[0, 1]) < 0.06


def test_a_mixture_is_of_two_images_and_their_labels() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (40, 16, 16)).astype(np.float32)
    y = np.arange(40, dtype=np.uint8)
    shown = present(Examples(x=x, y=y), replace(RECIPE, mixup=0.4), KEYS[:40])
    for i in range(40):
        share, other = shown.share[i], shown.other[i]
        np.testing.assert_allclose(shown.x[i], share * x[i] + (1 - share) * x[other], atol=1e-6)


def test_displacements_have_the_size_asked_for_and_are_smooth() -> None:
    """Seen in ramps, which show where each pixel has come from."""
    ramp = np.broadcast_to(np.arange(16, dtype=np.float32), (4000, 16, 16))
    rows, columns = (distort(x, KEYS, 0.8) - x for x in (ramp.transpose(0, 2, 1), ramp))
    inner = slice(4, 12)  # far from the background beyond the edge
    for moved in (rows[:, inner, inner], columns[:, inner, inner]):
        assert abs(np.sqrt((moved**2).mean()) - 0.8) < 0.02
        assert abs(moved.mean()) < 0.02
        neighbours = np.corrcoef(moved[:, 2, 2], moved[:, 2, 3])[0, 1]
        assert 0.9 < neighbours < 0.99
    assert abs(np.corrcoef(rows[:, 8, 8], columns[:, 8, 8])[0, 1]) < 0.06


def test_no_displacement_is_no_change_and_the_background_comes_in() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (50, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(distort(x, KEYS[:50], 0.0), x, atol=1e-6)
    far = distort(np.ones((50, 16, 16), np.float32), KEYS[:50], 4.0)
    assert far.min() == -1
    assert far.max() <= 1


def test_a_presentation_is_the_same_whatever_is_drawn_beside_it() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (1030, 16, 16)).astype(np.float32)
    examples = Examples(x=x, y=np.zeros(1030, np.uint8))
    whole = present(examples, replace(RECIPE, elastic=0.8), KEYS[:1030])
    assert (whole.x[700] == distort(x[700:701], KEYS[700:701], 0.8)[0]).all()
