"""Test that a sweep whose Ray is lost ends within a minute, in one sentence, with exit status 1."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raycluster import Driver, nodes

from scaling.store.store import Store

GO_ON = "run the same command again"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("the head is killed", "Ray's head at .* has not answered for .*refused"),
        ("the head is stopped", "Ray's head at .* has not answered for .*says nothing"),
        ("our raylet is stopped", "our node's raylet at .* has not answered for"),
        ("our raylet is killed", "this process was ended from outside"),
    ],
)
def test_a_lost_head_or_node_of_ours_is_one_sentence(
    rows_npz: Path, tmp_path: Path, what: str, told: str
) -> None:
    words = ["quickstart", "--dataset", str(rows_npz), "--n-train", "280", "--seeds", "2"]
    with nodes(2) as cluster:
        driver = Driver(cluster.address, [*words, "--epochs", "40000"], tmp_path)
        driver.until(lambda: cluster.trials(0) or cluster.trials(1))
        time.sleep(3)  # so that its workers have begun
        if "head" in what:
            cluster.signal_head(signal.SIGKILL if "killed" in what else signal.SIGSTOP)
        else:
            number = signal.SIGKILL if "killed" in what else signal.SIGSTOP
            os.kill(cluster.raylets[0], number)
        try:
            said = driver.said(timeout=240)
        finally:
            if "stopped" in what:
                os.kill(cluster.gcs if "head" in what else cluster.raylets[0], signal.SIGCONT)
    assert driver.process.returncode == 1, said
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    lines = [line for line in said.splitlines() if GO_ON in line]
    assert len(lines) == 1, said
    assert "0 of 4 models are stored in" in lines[0], last
    assert re.search(told, lines[0])
    if "ended from outside" not in told:  # then nobody is left to write them
        failures = Store(tmp_path).state().failures.values()
        assert failures
        assert all("has not answered" in row["error"] for row in failures)


def test_when_memory_never_suffices_every_model_has_a_failure_row_that_says_so(
    rows_npz: Path, tmp_path: Path
) -> None:
    """Ray's memory monitor kills every worker as it starts."""
    words = ["quickstart", "--dataset", str(rows_npz), "--n-train", "30", "--seeds", "1"]
    more = ["--epochs", "2", "--address", "local", "--cpus", "2", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "jobs.sweep", *words, *more],
        env=os.environ
        | {"RAY_memory_usage_threshold": "0.0", "RAY_memory_monitor_refresh_ms": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "trained again alone, after all others" in done.stderr
    failures = Store(tmp_path).state().failures.values()
    assert len(failures) == 2
    assert all("low on memory" in row["error"] for row in failures), failures
