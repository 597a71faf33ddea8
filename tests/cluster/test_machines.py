"""`ray up` on one's own machines, which share a kernel and nothing else; two of them are lost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from clusters import OWN, ROOT, read
from hosts import Host, hosts
from ports import free_port, listens
from raycluster import Driver, assert_same, stored

BIN = Path(sys.executable).parent
MODELS = 24


@pytest.fixture
def words(rows_npz: Path) -> list[str]:
    """Return the words of a study of two or three seconds a model."""
    grid = ["--n-train", "280", "--epochs", "4000", "--seeds", str(MODELS // 2)]
    return ["quickstart", "--dataset", str(rows_npz), *grid]


def configured(three: list[Host], key: Path, folder: Path) -> Path:
    """Write jobs/clusters/machines.yaml, filled in and without what installs; return its path.

    test_node_setup.py tries what installs; these machines have no network to install from.
    """
    config = read(OWN)
    head, *workers = (host.address for host in three)
    config["provider"] |= {"head_ip": head, "worker_ips": workers}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(key)}
    setup = [each for each in config["setup_commands"] if "pip" not in each]
    ours = f"export PATH={BIN}:$PATH PYTHONPATH=~/scaling-study RAY_worker_niceness=0"
    config["setup_commands"] = [
        each.replace(". ~/scaling-venv/bin/activate", ours)
        for each in setup
        if "venv/bin/python" not in each and "scaling studies" not in each
    ]
    mounts = {
        remote: local if local.startswith("~") else str(ROOT / local)
        for remote, local in config["file_mounts"].items()
    }
    file = folder / "cluster.yaml"
    file.write_text(yaml.safe_dump(config | {"file_mounts": mounts}))
    return file


@contextmanager
def tunnel(host: Host, key: Path) -> Iterator[str]:
    """Open a tunnel as `ray dashboard` does and yield the address of the head's dashboard here."""
    port = free_port()
    options = ["-N", "-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    options += ["-o", "UserKnownHostsFile=/dev/null", "-L", f"{port}:localhost:8265"]
    with subprocess.Popen(["ssh", *options, f"root@{host.address}"]) as ssh:
        try:
            while not listens(port):
                assert ssh.poll() is None
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:  # else a test that fails waits for ssh until it times out
            ssh.terminate()


@pytest.mark.slow
@pytest.mark.timeout(1200)  # measured: 217 s on two cores
def test_a_study_outlives_a_machine_that_is_cut_off_and_one_that_is_switched_off(
    words: list[str], tmp_path: Path
) -> None:
    me, out, key = tmp_path / "me", tmp_path / "out", tmp_path / "key"
    me.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SCALING_"))}
    env |= {"HOME": str(me), "RAY_AUTH_MODE": "token", "PYTHONPATH": str(ROOT)}
    env["PATH"] = f"{BIN}{os.pathsep}{env['PATH']}"

    def ray(*command: str) -> str:
        done = subprocess.run(["ray", *command], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    ray("get-auth-token", "--generate")
    with hosts(3, tmp_path, key) as three:
        cluster = str(configured(three, key, tmp_path))
        ray("up", "-y", "--no-config-cache", cluster)
        deadline = time.monotonic() + 120
        while " 3 local" not in ray("exec", cluster, "ray status").split("Pending:")[0]:
            assert time.monotonic() < deadline
            time.sleep(2)
        for host in three:  # the files that describe clusters stay here
            assert host.copied("jobs/cli").is_dir()
            assert not host.copied("jobs/clusters").exists()
        with tunnel(three[0], key) as address:
            entry = [sys.executable, "-c", "from jobs.cli.main import entry; entry()", "submit"]
            command = [*entry, *words, "--out", str(out), "--shared-fs", "--wait"]
            with subprocess.Popen(
                [*command, "--address", address],
                env=env | {"SCALING_OFFLINE": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as submitted:
                while len(stored(out)) < 1 and submitted.poll() is None:
                    time.sleep(0.2)
                three[1].cut_off()
                three[2].switch_off()
                left = len(stored(out))
                said, _ = submitted.communicate(timeout=600)
            assert submitted.returncode == 0, said
            assert left < MODELS, "nothing was left to be disturbed"
        ray("down", "-y", cluster)
    driver = Driver("local", words, tmp_path / "whole")
    said = driver.said()
    assert driver.process.returncode == 0, said
    assert_same(out, tmp_path / "whole")
