"""Test the noise of test images and of seeds, in simulations where both are known."""

import time

import numpy as np
import pytest

from analysis import fit
from analysis.stats.bootstrap import crossed_bootstrap, summarise

N_IMAGES = 2000


def simulate(
    rng: np.random.Generator, n_seeds: int, seed_sd: float, error: float = 0.05
) -> dict[int, np.ndarray]:
    """Draw misses on images of differing difficulty; `seed_sd` is relative to the error."""
    difficulty = rng.beta(0.1, 0.1 * (1 / error - 1), N_IMAGES)
    factors = np.exp(rng.normal(0, seed_sd, n_seeds))
    return {s: rng.uniform(size=N_IMAGES) < difficulty * f for s, f in enumerate(factors)}


@pytest.mark.parametrize(("n_seeds", "seed_sd"), [(2, 0.3), (3, 0.1), (10, 0.1), (10, 0.0)])
def test_the_intervals_of_a_mean_hold_as_often_as_they_say(n_seeds: int, seed_sd: float) -> None:
    rng = np.random.default_rng(0)
    truth = 0.05 * np.exp(seed_sd**2 / 2)
    summaries = [summarise(simulate(rng, n_seeds, seed_sd)) for _ in range(300)]
    held = [summary.low <= truth <= summary.high for summary in summaries]
    assert 0.9 - 3 * np.sqrt(0.09 / 300) < np.mean(held) < 0.99


def test_more_seeds_do_not_lower_the_noise_of_the_test_set() -> None:
    rng = np.random.default_rng(0)
    few, many = (summarise(simulate(rng, n, 0.1)) for n in (3, 60))
    assert many.se_test == pytest.approx(few.se_test, rel=0.25)
    assert many.se_seed < few.se_seed / 2  # type: ignore[operator]


def test_with_one_seed_its_noise_is_unknown_and_not_zero() -> None:
    summary = summarise(simulate(np.random.default_rng(0), 1, 0.1))
    assert summary.se_seed is None
    assert summary.n_seeds == 1
    assert summary.low < summary.error < summary.high


def test_the_test_sets_part_is_binomial_for_one_model() -> None:
    wrong = np.zeros(N_IMAGES, bool)
    wrong[:100] = True
    assert summarise({0: wrong}).se_test == pytest.approx(np.sqrt(0.05 * 0.95 / N_IMAGES), rel=1e-3)


def test_no_miss_at_all_still_has_an_upper_end() -> None:
    summary = summarise({s: np.zeros(N_IMAGES, bool) for s in range(3)})
    assert summary.error == summary.low == 0
    assert summary.high == pytest.approx(3 / N_IMAGES, rel=0.01)  # the rule of three


def test_the_bootstrap_has_the_variance_of_the_two_sources() -> None:
    rng = np.random.default_rng(3)
    wrong = simulate(rng, 40, 0.2)
    (drawn,) = crossed_bootstrap([[wrong]], replicates=4000)
    summary = summarise(wrong)
    expected = np.hypot(summary.se_test, summary.se_seed)  # type: ignore[arg-type]
    assert drawn.std() == pytest.approx(expected, rel=0.08)
    assert drawn.mean() == pytest.approx(summary.error, rel=0.02)


def test_cells_share_the_noise_of_their_test_images() -> None:
    """Two recipes miss the same images: their ratio is known far better than either error."""
    rng = np.random.default_rng(4)
    base = simulate(rng, 4, 0.0)
    better = {s: w & (rng.uniform(size=N_IMAGES) < 0.8) for s, w in base.items()}
    first, second = (c[:, 0] for c in crossed_bootstrap([[base], [better]]))
    assert np.corrcoef(first, second)[0, 1] > 0.7
    assert np.std(np.log(second / first)) < 0.7 * np.std(np.log(second))


def test_few_seeds_widen_their_part() -> None:
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(30):
        wrong = simulate(rng, 3, 0.5)
        (drawn,) = crossed_bootstrap([[wrong]], replicates=500)
        plain = np.hypot(*[getattr(summarise(wrong), part) for part in ("se_test", "se_seed")])
        ratios.append(drawn.std() / plain)
    assert 1.3 < np.median(ratios) < 2.1  # t with 2 degrees of freedom over normal is 1.78


def test_replicates_are_positive_even_without_misses() -> None:
    none = {s: np.zeros(N_IMAGES, bool) for s in range(2)}
    (drawn,) = crossed_bootstrap([[none, none]])
    assert (drawn > 0).all()
    assert drawn.shape == (1000, 2)


@pytest.mark.slow
def test_every_curve_of_two_thousand_models_is_resampled_two_thousand_times() -> None:
    """Resample 20 curves of 10 sizes and 10 seeds on 10,000 images; `-s` prints the time."""
    rng = np.random.default_rng(0)
    sizes, n_images = np.geomspace(500, 50_000, 10), 10_000
    errors = 0.01 + 3 * sizes**-0.5
    curves = [
        [{seed: rng.random(n_images) < error for seed in range(10)} for error in errors]
        for _ in range(20)
    ]
    start = time.process_time()
    drawn = crossed_bootstrap(curves, replicates=2000)
    resampled = time.process_time()
    fits = [fit(sizes, errors, form="power_law_floor", replicates=values) for values in drawn]
    fitted = time.process_time()
    print(f"core seconds: resampled {resampled - start:.1f}, fitted {fitted - resampled:.1f}")
    assert all(values.shape == (2000, 10) for values in drawn)
    assert all(found.n_replicates == 2000 and found.n_failed == 0 for found in fits)
