"""Fifty schedules of kills and faults on a real Ray, each from a seed: nothing is lost or changed.

A schedule is printed before it runs. SCALING_SCHEDULES=7 replays that seed, 100-150 runs others.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from buckets import Bucket, s3_server
from raycluster import Driver, Nodes, nodes

from jobs.cli.main import main
from scaling.store.schema import PROVENANCE
from scaling.store.store import Store

FIRST, _, LAST = os.environ.get("SCALING_SCHEDULES", "0-49").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
MODELS = 16
TRIES = 8  # of the command, as a user would repeat it
EVENTS = {
    "kill a worker": 5,
    "stop a worker for a while": 3,
    "kill a raylet": 2,
    "stop a raylet for a while": 2,
    "let a node run out of memory": 2,
    "kill the head": 1,
    "stop the head for a while": 1,
    "kill the driver": 2,
    "interrupt the driver": 2,
    "start a second driver": 2,
}
FAULTS = ("busy", "reset", "reset after")


@pytest.fixture(scope="module")
def words(rows_npz: Path) -> list[str]:
    """Models of half a second."""
    sizes = [str(size) for size in range(200, 200 + 4 * MODELS // 8)]
    grid = ["--n-train", *sizes, "--epochs", "400", "--seeds", "0", "1"]
    return ["quickstart", "--dataset", str(rows_npz), *grid, "--recipe", "1989"]


@pytest.fixture(scope="module")
def undisturbed(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the rows that a sweep without any fault stores."""
    out = tmp_path_factory.mktemp("whole")
    assert main(["sweep", *words, "--out", str(out), "--address", "local", "--cpus", "2"]) == 0
    found = rows(str(out))
    assert len({row.split(",")[0] for row in found}) == MODELS * 2  # of metrics and predictions
    return found


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    keys = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret"}
    with s3_server() as served, pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        yield served


def rows(out: str) -> list[str]:
    """Return every stored row without what differs between two equal trainings."""
    contents = Store(out).contents()
    assert contents.corrupt == ()
    found = []
    for kind in ("metrics", "predictions"):
        table: Any = getattr(contents, kind)
        table = table.drop_columns([name for name in PROVENANCE if name in table.column_names])
        found += [f"{row['run_id']} {kind}, {row}" for row in table.to_pylist()]
    return sorted(found)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_schedule_of_faults_changes_nothing(
    seed: int, words: list[str], undisturbed: list[str], bucket: Bucket, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    out = bucket.uri(f"seed{seed}") if draw.random() < 0.5 else str(tmp_path / "out")
    share, kinds = draw.choice([0.0, 0.1, 0.3]), draw.sample(FAULTS, draw.randint(1, 3))
    luck = random.Random(seed)
    names = draw.choices(list(EVENTS), list(EVENTS.values()), k=draw.randint(1, 4))
    plan = [(round(draw.uniform(0.5, 8), 1), name) for name in names]
    print(f"seed {seed}: {out}, {share:.0%} of requests {kinds}, {plan}")
    bucket.fault = lambda _: luck.choice(kinds) if luck.random() < share else None
    try:
        run(plan, draw, words, out)
    finally:
        bucket.fault = lambda _: None
    assert rows(out) == undisturbed


def run(plan: list[tuple[float, str]], draw: random.Random, words: list[str], out: str) -> None:
    """Let the events happen, and repeat the command until it has nothing to do."""
    left = list(plan)
    for _ in range(TRIES):
        with nodes(3) as three:
            driver: Driver | None = Driver(three.address, words, out)
            while driver and left and driver.process.poll() is None:
                wait, name = left.pop(0)
                time.sleep(wait)
                driver = strike(name, three, driver, draw, words, out)
                if "head" in name:
                    break
            if driver is None:  # killed: the next command goes on
                continue
            said = driver.said(timeout=600)
        status = driver.process.returncode
        assert "Traceback" not in said, said
        assert status in (0, 1, 2, 130), said
        if status == 0 and not left:
            return
        told = ("again", "another sweep", "no Ray cluster answers")  # each says what to do
        assert status == 0 or any(text in said for text in told), said
    pytest.fail(f"{TRIES} commands did not finish it")


def strike(
    name: str, three: Nodes, driver: Driver, draw: random.Random, words: list[str], out: str
) -> Driver | None:
    """Let an event happen; return the driver, or None if it was killed."""
    number = draw.randrange(1, len(three.raylets))
    if name == "kill the driver":
        driver.kill()
        return None
    if name == "interrupt the driver":
        driver.process.send_signal(signal.SIGINT)
    elif name == "start a second driver":
        second = Driver(three.address, words, out).said(timeout=600)
        assert "Traceback" not in second, second
    elif "memory" in name:
        three.remove(number)
        three.add(memory=False)
    elif "worker" in name:
        if training := three.trials(number) + three.trials(0):
            halt(draw.choice(training), "kill" in name, draw)
    elif "raylet" in name:
        halt(three.raylets[number], "kill" in name, draw)
        if "kill" in name:
            three.remove(number)
            three.add()
    else:
        halt(three.gcs, "kill" in name, draw)
    return driver


def halt(process: int, kill: bool, draw: random.Random) -> None:
    """Kill a process, or stop it for some seconds; it may have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL if kill else signal.SIGSTOP)
        if not kill:
            time.sleep(draw.uniform(1, 12))
            os.kill(process, signal.SIGCONT)
