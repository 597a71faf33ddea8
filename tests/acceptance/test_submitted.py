"""A study that is submitted to a head with its token, refused with another, and repeated."""

from pathlib import Path

import pandas as pd
import pytest

from acceptance.commands import User
from acceptance.stored import metrics, models, plan, planned, predictions
from acceptance.two_nodes import Cluster
from acceptance.uses import SMALL, Submitted

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]


def test_a_submitted_study_is_trained(submitted: Submitted) -> None:
    assert submitted.first.returncode == 0, submitted.first.stdout + submitted.first.stderr
    assert "10 of 10 cells finished" in submitted.first.stdout
    assert models(submitted.out).keys() == planned(submitted.out, "small")


def test_submitted_again_it_has_nothing_to_train(submitted: Submitted) -> None:
    assert submitted.again.returncode == 0, submitted.again.stdout + submitted.again.stderr
    assert "(attempt 2 after succeeded)" in submitted.again.stdout
    assert "nothing to train" in submitted.again.stdout


@pytest.mark.parametrize(
    ("token", "said"), [("0" * 64, "another token"), (None, "no token")], ids=["another", "none"]
)
def test_without_the_token_it_is_one_line(
    user: User, cluster: Cluster, token: str | None, said: str
) -> None:
    path = user.folder / "another-token"
    path.unlink(missing_ok=True)
    if token:
        path.write_text(token, encoding="utf-8")
        path.chmod(0o600)
    words = ["submit", SMALL, "--wait", "--address", cluster.url, "--out", "refused"]
    done = user.scaling(*words, RAY_AUTH_TOKEN_PATH=str(path))
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
    assert not (user.folder / "refused").exists()


def test_its_rows_are_those_of_a_local_sweep(submitted: Submitted, plain_small: Path) -> None:
    outs = submitted.out, plain_small
    for read in (metrics, predictions):
        found, expected = map(read, outs)
        assert not expected.empty
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    cells = [plan(out, "small")["cells"] for out in outs]
    assert cells[0] == cells[1]
