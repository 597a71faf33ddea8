"""Test jobs/clusters/slurm.sh with a Slurm and a Ray that print their arguments."""

import subprocess
from pathlib import Path

import pytest
from clusters import CLUSTERS
from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

from jobs.cli.commands import build_parser

SCRIPT = CLUSTERS / "slurm.sh"
ARGUMENTS = ["quickstart", "--out", "a folder", "--seeds", "2"]
JOB = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3", "SLURM_CPUS_ON_NODE": "128"}
FAKES = {  # more nodes are listed than a pipe holds: whoever reads the first only breaks it
    "scontrol": '[ "$*" = "show hostnames n[1-3]" ] && printf "n%d\\n" {1..20000}',
    "getent": '[ "$*" = "ahostsv4 n1" ] && echo "$FIRST STREAM n1"',
    "hostname": '[ "$*" = -I ] && echo "10.0.0.7 172.17.0.1"',
    "srun": 'shift; SLURM_CPUS_ON_NODE=8 "$@"',  # those of this node, not of the first
    "ray": """printf '%s\\n' "$@"; env > env
[ $STARTS = yes ] || exit 0  # as it does
while [ "$1" != -- ]; do shift; done; shift; "$@" """,
    "scaling": 'shift; exec ray "$@"',
    "python": "exit $STATUS",
}


def run(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    for name, line in FAKES.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o755)
    (folder / "token").touch()
    env = JOB | {"SLURM_JOB_ID": "12345678", "SLURM_NODEID": "0", "FIRST": "10.0.0.5"}
    env |= {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "STATUS": "0", "STARTS": "yes"}
    env |= {"RAY_AUTH_TOKEN_PATH": str(folder / "token")} | changes
    words = ["bash", SCRIPT, *ARGUMENTS]
    return subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("first", "address"), [("10.0.0.5", "10.0.0.5:25678"), ("127.0.1.1", "10.0.0.7:25678")]
)
def test_it_asks_ray_and_the_sweep_for_what_they_know(
    tmp_path: Path, first: str, address: str
) -> None:
    said = run(tmp_path, FIRST=first).stdout.splitlines()
    assert said[0] == "symmetric-run"
    middle = said.index("--")
    given = dict(zip(said[1:middle:2], said[2:middle:2], strict=True))
    assert given == {"--address": address, "--min-nodes": "3", "--num-cpus": "8"}
    assert curate_and_validate_ray_start_args(said[1:middle]) == ["--num-cpus", "8"]
    sweep = said.index("python")
    assert said[sweep + 1 : sweep + 4] == ["-P", "-m", "jobs.sweep"]
    asked = build_parser().parse_args(["sweep", *said[sweep + 4 :]])
    assert (asked.study, asked.out, asked.seeds) == ("quickstart", "a folder", [2])
    assert asked.shared_fs
    assert asked.address == address


def test_nobody_else_gets_in_and_no_node_is_shared(tmp_path: Path) -> None:
    """Ray runs what it is sent, and `ray stop` ends every Ray that a user has on a node."""
    run(tmp_path)
    assert "RAY_AUTH_MODE=token" in (tmp_path / "env").read_text().splitlines()
    asked = [line for line in SCRIPT.read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"#SBATCH --exclusive", "#SBATCH --ntasks-per-node=1"} <= set(asked)


def test_without_a_token_nothing_starts(tmp_path: Path) -> None:
    done = run(tmp_path, RAY_AUTH_TOKEN_PATH="nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no token in nowhere" in done.stderr


@pytest.mark.parametrize("status", [0, 2])
def test_it_ends_as_the_sweep_did(tmp_path: Path, status: int) -> None:
    assert run(tmp_path, STATUS=str(status)).returncode == status


def test_a_ray_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "slurm-12345678.began").touch()  # of the same job before it was requeued
    done = run(tmp_path, STARTS="no")
    assert done.returncode == 1
    assert "nothing was trained" in done.stderr


def test_the_log_is_the_first_nodes(tmp_path: Path) -> None:
    """Ray fills hundreds of lines on the others, when it is stopped."""
    assert run(tmp_path, SLURM_NODEID="2").stdout == ""
    assert "symmetric-run" in (tmp_path / "slurm-12345678.node2.log").read_text()
