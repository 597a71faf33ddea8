"""A hundred kills over two hundred cells: what comes out is what an undisturbed sweep stores.

SCALING_SOAK_SEED and SCALING_SOAK_KILLS choose other kills, and more of them.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raycluster import Driver, Nodes, assert_same, nodes, stored

SEED = int(os.environ.get("SCALING_SOAK_SEED", "0"))
KILLS = int(os.environ.get("SCALING_SOAK_KILLS", "100"))
SIZES = range(200, 300)
CELLS = 2 * len(SIZES)  # two recipes
# Workers are what is killed most, as they are most; the head and Ray's own services stay.
VICTIMS = {"worker": 6, "raylet": 1, "node": 1, "driver": 2}


@pytest.fixture
def words(rows_npz: Path) -> list[str]:
    """Cells of a tenth of a second."""
    sizes = ",".join(map(str, SIZES))
    grid = ["--n-train", sizes, "--epochs", "100", "--seeds", "1"]
    return ["quickstart", "--dataset", str(rows_npz), *grid]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_hundred_kills(words: list[str], tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    command = [sys.executable, "-m", "jobs.sweep", *words, "--out", str(whole)]
    quick = os.environ | {"RAY_worker_niceness": "0"}  # as that of the nodes
    subprocess.run([*command, "--address", "local", "--cpus", "2"], check=True, env=quick)
    rng, began, kills = random.Random(SEED), time.monotonic(), dict.fromkeys(VICTIMS, 0)
    rounds = 0
    with nodes(3) as three:
        while sum(kills.values()) < KILLS:  # anew, if a study is complete before
            out = tmp_path / f"round{rounds}"
            disturb(three, words, out, rng, kills)
            assert len(stored(out)) == CELLS
            assert_same(out, whole)
            rounds += 1
    print(f"{kills}: {sum(kills.values())} kills in {time.monotonic() - began:.0f} s, seed {SEED},")
    print(f"{rounds} studies of {CELLS} cells, each as if undisturbed")


def disturb(
    three: Nodes, words: list[str], out: Path, rng: random.Random, kills: dict[str, int]
) -> None:
    """Run a study to its end, with restarts; kill as long as kills are left."""
    driver = Driver(three.address, words, out)
    while True:
        time.sleep(rng.uniform(0.5, 3))
        if driver.process.poll() is not None:
            said = driver.said()
            if driver.process.returncode == 0:
                return
            assert "Traceback" not in said, said
            driver = Driver(three.address, words, out)
        elif sum(kills.values()) < KILLS:
            (victim,) = rng.choices(list(VICTIMS), list(VICTIMS.values()))
            if victim == "driver":
                driver.kill()
                driver = Driver(three.address, words, out)
            elif not strike(three, victim, rng):
                continue
            kills[victim] += 1


def strike(three: Nodes, victim: str, rng: random.Random) -> bool:
    """Kill a worker or a node, which is replaced; return False if neither exists."""
    number = rng.randrange(victim != "worker", len(three.raylets))
    if victim == "worker":
        training = three.trials(number)
        if not training:
            return False
        try:
            os.kill(rng.choice(training), signal.SIGKILL)
        except ProcessLookupError:  # it has ended by itself
            return False
        return True
    if victim == "raylet":
        three.kill_raylet(number)
    three.remove(number)
    three.add()
    return True
