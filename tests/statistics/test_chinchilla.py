"""Test the joint fit against Besiroglu et al. 2024 (arXiv 2404.10102)."""

import os
from pathlib import Path

import pandas as pd
import pytest

from analysis import Fit, fit

PARAMETERS = ("A", "B", "E", "alpha", "beta")
EXPECTED = {
    "huber": (477.8, 2143, 1.8172, 0.3473, 0.3672),
    "lad": (482.0, 2085, 1.8169, 0.3478, 0.3658),
}
PUBLISHED_ERRORS = (124.5, 1293, 0.0257, 0.0154, 0.0206)


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    """Return the runs without the five highest losses, with D = C / 6 N."""
    folder = os.environ.get("SCALING_REFERENCE_DIR")
    if not folder or not (Path(folder) / "chinchilla_points.csv").exists():
        pytest.skip("needs chinchilla_points.csv: SCALING_REFERENCE_DIR names no such folder")
    table = pd.read_csv(Path(folder) / "chinchilla_points.csv").sort_values("loss").iloc[:-5]
    return table.assign(tokens=table["train_flop"] / (6 * table["n_params"]))


def joint(points: pd.DataFrame, **options: str) -> Fit:
    return fit((points["n_params"], points["tokens"]), points["loss"], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("objective", EXPECTED)
def test_the_published_parameters_are_found_from_default_starts(
    points: pd.DataFrame, objective: str
) -> None:
    found = joint(points, objective=objective)
    assert (found.form, found.status, found.n_points) == ("additive", "converged", 240)
    for name, value in zip(PARAMETERS, EXPECTED[objective], strict=True):
        assert found.params[name] == pytest.approx(value, rel=5e-4)


def test_the_bootstrap_has_about_the_published_standard_errors(points: pd.DataFrame) -> None:
    """Their 4,000 replicates against our 400: B's are skewed, so a quarter is about."""
    found = joint(points)
    assert (found.noise, found.n_failed) == ("cases", 0)
    for name, value in zip(PARAMETERS, PUBLISHED_ERRORS, strict=True):
        assert found.standard_errors[name] == pytest.approx(value, rel=0.25)
