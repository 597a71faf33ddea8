"""A sweep over two nodes whose driver is killed: nothing is lost, nothing is trained twice."""

from pathlib import Path

import pandas as pd
import pytest

from acceptance.stored import last_rows, metrics, planned, predictions
from acceptance.trained import too_far
from acceptance.uses import Swept

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]


def test_the_same_command_finishes_what_a_killed_driver_left(swept: Swept) -> None:
    whole = planned(swept.out, "both")
    before, after = swept.killed.models, swept.finished.models
    assert 0 < len(before) < len(whole) == 96, "it was to be killed in the middle"
    assert swept.second.returncode == 0, swept.second.stdout + swept.second.stderr
    assert after.keys() == whole
    assert before.items() <= after.items(), "what was stored is not trained again"
    assert "96 are stored" in swept.second.stdout
    assert "12 of 12 cells finished" in swept.second.stdout


def test_a_third_time_nothing_is_trained(swept: Swept) -> None:
    assert swept.third.returncode == 0, swept.third.stdout + swept.third.stderr
    assert "nothing to train" in swept.third.stdout
    assert swept.repeated.models == swept.finished.models


def test_status_counts_what_is_there(swept: Swept) -> None:
    for stand in (swept.killed, swept.finished, swept.repeated):
        assert stand.status == stand.expected
    assert swept.killed.status["missing"] > 0
    assert swept.finished.status["finished"] == 12


def test_cores_and_the_gpu_trained(swept: Swept) -> None:
    """Only the population engine trains on a GPU; what stood in for the GPU is said."""
    rows = last_rows(swept.out)
    assert set(rows["engine"]) == {"compiled", "population"}
    assert set(rows["device"]) == {"cpu"}


def test_cores_give_the_bits_of_an_undisturbed_sweep(swept: Swept, plain_both: Path) -> None:
    rows = metrics(swept.out)
    by_cores = set(rows[rows["engine"] == "compiled"]["run_id"])
    for read in (metrics, predictions):
        found, expected = (part(read(out), by_cores) for out in (swept.out, plain_both))
        assert not expected.empty
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_all_models_miss_about_what_an_undisturbed_sweep_misses(
    swept: Swept, plain_both: Path
) -> None:
    rows, plain = (last_rows(out)["test_misses"] for out in (swept.out, plain_both))
    assert not too_far(plain, rows)


def part(rows: pd.DataFrame, runs: set[str]) -> pd.DataFrame:
    """Return the rows of some models."""
    return rows[rows["run_id"].isin(runs)].reset_index(drop=True)
