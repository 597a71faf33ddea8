"""jobs/slurm.sh, with a Slurm that says what it was asked to run."""

import subprocess
from pathlib import Path

import pytest
from clusters import ROOT
from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

from jobs.arguments import build_parser
from jobs.cli import COMMANDS

ARGUMENTS = ["quickstart", "--out", "a folder", "--seeds", "2"]
JOB = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3", "SLURM_CPUS_ON_NODE": "8"}
FAKES = {  # more nodes are listed than a pipe holds: whoever reads the first only breaks it
    "scontrol": '[ "$*" = "show hostnames n[1-3]" ] && printf "n%d\\n" {1..20000}',
    "srun": '"$@"',
    "ray": "printf '%s\\n' \"$@\"; exit $STATUS",
}


def run(folder: Path, node: int = 0, status: int = 0) -> subprocess.CompletedProcess[str]:
    for name, line in FAKES.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o755)
    env = JOB | {"SLURM_JOB_ID": "12345678", "SLURM_NODEID": str(node), "STATUS": str(status)}
    env["PATH"] = f"{folder}:/usr/bin:/bin"
    script = ["bash", ROOT / "jobs" / "slurm.sh", *ARGUMENTS]
    return subprocess.run(script, env=env, cwd=folder, capture_output=True, text=True)


def test_it_asks_ray_and_the_sweep_for_what_they_know(tmp_path: Path) -> None:
    said = run(tmp_path).stdout.splitlines()
    assert said[0] == "symmetric-run"
    middle = said.index("--")
    given = dict(zip(said[1:middle:2], said[2:middle:2], strict=True))
    assert given == {"--address": "n1:25678", "--min-nodes": "3", "--num-cpus": "8"}
    assert curate_and_validate_ray_start_args(said[1:middle]) == ["--num-cpus", "8"]
    assert said[middle + 1 : middle + 4] == ["python", "-m", "jobs.sweep"]
    asked = build_parser(COMMANDS).parse_args(["sweep", *said[middle + 4 :]])
    assert (asked.study, asked.out, asked.seeds) == ("quickstart", "a folder", [2])
    assert asked.shared_fs
    assert asked.address == "n1:25678"


@pytest.mark.parametrize("status", [0, 2])
def test_it_ends_as_the_sweep_did(tmp_path: Path, status: int) -> None:
    assert run(tmp_path, status=status).returncode == status


def test_the_log_is_the_first_nodes(tmp_path: Path) -> None:
    """Ray fills hundreds of lines on the others, when it is stopped."""
    assert run(tmp_path, node=2).stdout == ""
    assert "symmetric-run" in (tmp_path / "slurm-12345678.node2.log").read_text()
