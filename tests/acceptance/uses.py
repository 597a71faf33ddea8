"""The uses that are tested: a sweep that is killed, a study that is submitted, a plain sweep."""

import json
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from acceptance.commands import HERE, User, scaling
from acceptance.stored import expected_status, models
from acceptance.two_nodes import Cluster, until

BOTH, SMALL = HERE / "studies/both.py", HERE / "studies/small.py"
ENOUGH = 16  # models of 96 before the driver is killed: some of several cells, and most still left

Done = CompletedProcess[str]


@dataclass(frozen=True)
class Stand:
    """A results folder at some time: its models, and what `scaling status` says beside them."""

    models: dict[str, int]
    status: dict[str, Any]
    expected: dict[str, Any]


@dataclass(frozen=True)
class Swept:
    """A sweep that was killed, and the same command twice more."""

    out: Path
    killed: Stand
    second: Done
    finished: Stand
    third: Done
    repeated: Stand


@dataclass(frozen=True)
class Submitted:
    """A study that was submitted, and submitted again."""

    out: Path
    first: Done
    again: Done


def sweep_killed(user: User, cluster: Cluster) -> Swept:
    """Sweep over cores and a GPU, kill the driver in the middle, and repeat the command twice."""
    out = user.folder / "both"
    words = ["sweep", BOTH, "--out", "both", "--device", "auto", "--shared-fs"]
    words += ["--address", cluster.address]
    gpu = {"SCALING_FAKE_GPU": "1"}
    path = user.folder / "killed.log"
    with path.open("w", encoding="utf-8") as log:
        driver = user.start(*scaling(), *words, log=log, **gpu)
    try:
        until(lambda: len(models(out)) >= ENOUGH, f"{ENOUGH} models ({path.name})", driver)
    except BaseException:
        print(path.read_text(encoding="utf-8"))
        raise
    finally:
        driver.kill()
        driver.wait()
    killed = stand(user, out, "both")
    second = user.scaling(*words, **gpu)
    finished = stand(user, out, "both")
    third = user.scaling(*words, **gpu)
    return Swept(out, killed, second, finished, third, stand(user, out, "both"))


def submit(user: User, cluster: Cluster) -> Submitted:
    """Submit a study to a head and wait for its end, twice."""
    words = ["submit", SMALL, "--wait", "--address", cluster.url, "--shared-fs"]
    return Submitted(
        user.folder / "results/small",  # where results go without --out, if the head is here
        first=user.scaling(*words),
        again=user.scaling(*words),
    )


def sweep_here(user: User, study: str) -> Path:
    """Sweep a study on this machine, undisturbed; return its results folder."""
    out = user.folder / f"plain-{study}"
    path = HERE / "studies" / f"{study}.py"
    done = user.scaling("sweep", path, "--out", out, "--address", "local", "--cpus", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def stand(user: User, out: Path, study: str) -> Stand:
    """Look at a results folder; look again if workers of a killed driver still wrote meanwhile."""
    while True:
        before = models(out)
        done = user.scaling("status", out, "--json")
        assert done.returncode == 0, done.stderr
        if models(out) == before:
            return Stand(before, json.loads(done.stdout), expected_status(out, study))
