"""A cluster that can grow: a GPU trial brings up a (fake) GPU node; one that cannot is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from ports import folder_of_a_ray, free_port, listens

HEAD_TYPE = "ray.head.default"  # what the fake provider calls its head


def config(address: str, gpus: int) -> str:
    """A cluster of one core, which may grow by a node with GPUs."""
    node = {"node_config": {}, "max_workers": 1, "min_workers": 0}
    memory = {"object_store_memory": 80_000_000}
    provider = {
        **{"type": "fake_multinode", "gcs_address": address, "use_node_id_as_ip": True},
        **dict.fromkeys(("disable_node_updaters", "disable_launch_config_check"), True),
    }
    return json.dumps(  # which is YAML as well
        {
            "cluster_name": "fake",
            "max_workers": 1,
            "provider": provider,
            "available_node_types": {
                HEAD_TYPE: {**node, "max_workers": 0, "resources": {"CPU": 1, **memory}},
                "grown": {**node, "resources": {"CPU": 1, "GPU": gpus, **memory}},
            },
            "head_node_type": HEAD_TYPE,
            "idle_timeout_minutes": 60,
            "upscaling_speed": 1.0,
            **{key: {} for key in ("auth", "file_mounts")},
            **{key: [] for key in (f"{who}setup_commands" for who in ("", "head_", "worker_"))},
            **{key: [] for key in (f"{who}_start_ray_commands" for who in ("head", "worker"))},
            **{key: [] for key in ("initialization_commands", "cluster_synced_files")},
            "file_mounts_sync_continuously": False,
        }
    )


def scales(folder: str) -> bool:
    """Return whether the autoscaler of the Ray in a folder has looked at its head."""
    logs = Path(folder).glob("ray/session_2*/logs/monitor.log")
    return any(f"1 {HEAD_TYPE}" in log.read_text() for log in logs)


def of_folder(folder: str) -> list[int]:
    """Return the processes of one Ray: those with this folder in their arguments."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, check=True)
    rows = [line.split(maxsplit=1) for line in listed.stdout.decode().splitlines()]
    return [int(pid) for pid, *args in rows if folder in str(args) and int(pid) != os.getpid()]


@pytest.fixture(scope="module")
def growing() -> Iterator[str]:
    """Yield the address of a cluster with an autoscaler, in a folder and at ports of its own."""
    ports = [free_port() for _ in range(3)]
    address = f"127.0.0.1:{ports[0]}"
    with folder_of_a_ray() as short:
        told = Path(short) / "cluster.yaml"
        told.write_text(config(address, gpus=1))
        command = [
            *(Path(sys.executable).parent / "ray", "start", "--head", "--block", "--num-cpus=1"),
            *(f"--port={ports[0]}", f"--dashboard-port={ports[1]}"),
            *(f"--dashboard-agent-listen-port={ports[2]}", "--object-store-memory=80000000"),
            f"--autoscaling-config={told}",
        ]
        ours = {"RAY_TMPDIR": short, "RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0"}
        ours["RAY_USAGE_STATS_ENABLED"] = "0"
        fake = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
        with subprocess.Popen(
            command, env=os.environ | ours | fake, stdout=subprocess.DEVNULL
        ) as head:
            try:
                deadline = time.monotonic() + 240
                while not (all(map(listens, ports)) and scales(short)):
                    assert head.poll() is None, "ray start ended"
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                yield address
            finally:
                head.kill()
                for pid in of_folder(short):  # what it started does not end with it
                    os.kill(pid, signal.SIGKILL)


def sweep(address: str, data: Path, out: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    words = [
        "quickstart",
        "--dataset",
        str(data),
        "--n-train",
        "30",
        "--epochs",
        "2",
        "--seeds",
        "2",
    ]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "jobs.sweep",
            *words,
            "--address",
            address,
            "--out",
            str(out),
            *more,
        ],
        env=os.environ | {"RAY_AUTH_MODE": "disabled", "SCALING_FAKE_GPU": "1"},
        capture_output=True,
        text=True,
    )


def test_a_gpu_trial_brings_up_a_gpu_node(growing: str, rows_npz: Path, tmp_path: Path) -> None:
    done = sweep(growing, rows_npz, tmp_path, "--device", "cuda", "--shared-fs")
    assert done.returncode == 0, done.stderr
    assert "1 GPU at a time" in done.stdout
    rows = pd.read_parquet(tmp_path / "metrics")
    assert rows["run_id"].nunique() == 4
    assert set(rows["engine"]) == {"population"}
    assert set(rows["device"]) == {"cpu"}, "what stood in for the GPU is said"


def test_a_folder_of_one_node_is_refused_where_others_may_come(
    growing: str, rows_npz: Path, tmp_path: Path
) -> None:
    done = sweep(growing, rows_npz, tmp_path)
    assert done.returncode == 2
    assert "an autoscaler that adds nodes" in done.stderr
    assert len(done.stderr.splitlines()) == 1
