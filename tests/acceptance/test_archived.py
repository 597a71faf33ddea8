"""What the commands conclude from stored results, to the last digits: fits, scores and forecasts.

archive/ holds the study `small` as trained on a processor with AVX-512, made by
`scaling sweep small.py --out OUT --address local` and `python -m jobs.publish OUT --into archive`.
docs/published holds the models behind the report of the repository.
"""

import json
import sys
from pathlib import Path

import pytest

from acceptance.commands import HERE, ROOT, User
from acceptance.figures import check
from acceptance.uses import SMALL

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def small(user: User) -> Path:
    return unpacked(user, HERE / "archive", "stored-small")


@pytest.fixture(scope="module")
def published(user: User) -> Path:
    return unpacked(user, ROOT / "docs/published", "stored-published")


@pytest.fixture(scope="module")
def reported(user: User, published: Path) -> Path:
    done = user.scaling("report", published)
    assert done.returncode == 0, done.stderr
    return published


def test_fits_of_a_small_study(user: User, small: Path) -> None:
    check("small_fit", user.told("fit", small))


def test_scores_of_extrapolations_within_a_small_study(user: User, small: Path) -> None:
    check("small_validate", user.told("validate", small, "--min-origin", 512, "--ratios", 2))


def test_forecasts_from_a_small_study(user: User, small: Path) -> None:
    words = ["--study", SMALL, "--n-train", 2048, 4096]
    check("small_predict", user.told("predict", small, *words))


def test_fits_of_the_published_curves(user: User, published: Path) -> None:
    check("published_fit", user.told("fit", published, "--form", "power_law_floor"))


def test_scores_of_extrapolations_within_the_published_curves(user: User, published: Path) -> None:
    check("published_validate", user.told("validate", published))


def test_numbers_and_verdicts_of_the_published_models(reported: Path) -> None:
    check("published", json.loads((reported / "numbers.json").read_text(encoding="utf-8")))


def test_figures_of_the_published_models(reported: Path) -> None:
    drawn = sorted((reported / "figures").iterdir())
    check("published_figures", {path.name: int(path.stat().st_size > 1000) for path in drawn})


def unpacked(user: User, source: Path, name: str) -> Path:
    """Make a results folder of published files."""
    words = ["-m", "jobs.publish", "--unpack", source, "--out", name]
    done = user.run(sys.executable, *words)
    assert done.returncode == 0, done.stderr
    return user.folder / name
