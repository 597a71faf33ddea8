"""The prediction interval of one run, and the published figures that are compared with it."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from analysis.reference.published import find_published, published_runs
from analysis.stats.prediction_interval import prediction_interval


@pytest.mark.parametrize("n_seeds", [3, 20])
@pytest.mark.parametrize("seed_sd", [0.0, 120.0])
def test_it_holds_about_95_of_100_new_runs(n_seeds: int, seed_sd: float) -> None:
    rng, held, trials = np.random.default_rng(0), 0, 150
    for _ in range(trials):
        seen = np.rint(rng.normal(800, seed_sd, n_seeds)).astype(int)
        run = prediction_interval([int(m) for m in seen], 10_000, 2007)
        assert run is not None
        new = round(rng.normal(800, seed_sd))
        held += run.contains(int(rng.hypergeometric(new, 10_000 - new, 2007)))
    assert 0.95 - 3 * np.sqrt(0.0475 / trials) < held / trials < 0.99


def test_the_interval_of_one_run_is_wider_than_that_of_the_mean() -> None:
    seen = [430, 400, 460, 445, 415]
    run = prediction_interval(seen, 10_000, 2007)
    assert run is not None
    assert run.n == 2007
    assert run.low < 86 - 15
    assert run.high > 86 + 15


def test_a_seed_that_hardly_learned_does_not_move_the_lower_end() -> None:
    """As one of twenty did on the zip codes: the others made 104 to 125 misses."""
    usual = [int(m) for m in np.linspace(104, 125, 19)]
    run = prediction_interval([*usual, 459], 2007)
    assert run is not None
    assert 100 < run.low <= 104
    assert run.high >= 459


def test_on_the_same_images_only_seeds_differ() -> None:
    run = prediction_interval([100, 100, 100, 100], 2007)
    assert run is not None
    assert (run.low, run.high) == (100, 100)
    wider = prediction_interval([90, 100, 110, 100], 2007)
    assert wider is not None
    assert wider.low < 80
    assert wider.high > 120


def test_one_seed_says_nothing_of_another() -> None:
    assert prediction_interval([430], 10_000, 2007) is None
    assert prediction_interval([43, 41], 1000, 2007) is None


def test_counts_stay_counts() -> None:
    run = prediction_interval([0, 0, 1], 7291)
    assert run is not None
    assert run.low == 0
    assert run.high >= 1


def test_published_counts_are_the_corrected_ones() -> None:
    truncated = {"ce": 87, "augment": 43, "data_base": 54, "data_modern": 24}
    for row, printed in truncated.items():
        assert find_published(row).test_misses == printed + 1
    assert all(run.source for run in published_runs())


def test_published_figures_are_those_of_the_reference() -> None:
    folder = os.environ.get("SCALING_REFERENCE_DIR", "")
    if not (folder and Path(folder).is_dir()):
        pytest.skip("needs the reference figures: SCALING_REFERENCE_DIR names no folder")
    with (Path(folder) / "published_results.csv").open(newline="") as file:
        reference = {row["row"]: row for row in csv.DictReader(file)}
    assert {run.row for run in published_runs()} == reference.keys()
    for run in published_runs():
        row = reference[run.row]
        assert run.test_misses == int(row["test_misses_true"])
        assert run.n_test == int(row["n_test"])
        assert run.n_train == int(row["n_train"])
        if row["passes"]:
            assert run.epochs == int(row["passes"])
        if run.train_misses is not None:  # the reference notes two of them as truncated by one
            assert run.train_misses - int(row["train_misses"]) == (
                1 if f"train misses are {run.train_misses}" in row["note"] else 0
            )
