"""Run several real Ray nodes on this machine, sweeps on them, and failures."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from ports import folder_of_a_ray

# What does not bear on a result: when, where and how long.
PROVENANCE = ["wall_s", "cpu_s", "created_at", "host"]
# A node that is gone is missed after seconds, not after Ray's half a minute; and workers are not
# last in the queue for cores (Ray's niceness of 15), where a machine has other things to do.
QUICK = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "worker_niceness": 0,
}
# Of their processes and drivers only. Ray reads it once in a process, and a local Ray of this one
# has a token: with both, its workers could not reach this process, and no trial would begin.
NO_TOKEN = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
# Ray's memory monitor takes a node to be full, whatever it has.
STARVED = {"RAY_memory_usage_threshold": "0.0", "RAY_memory_monitor_refresh_ms": "200"}
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


class Nodes:
    """A head and others, each with a core for trials.

    ray.cluster_utils.Cluster has a process of its own (`serve`): it leaves open what it opens.
    """

    def __init__(self, count: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | NO_TOKEN,
        )
        self._hear()

    def add(self, memory: bool = True) -> None:
        """Start one more node; one without memory kills each worker soon after its start."""
        self._tell("add" if memory else "add without memory")

    def remove(self, number: int) -> None:
        """Stop a node (the head is 0) as if its machine were switched off."""
        self._tell("remove", number)

    def kill_raylet(self, number: int) -> None:
        """Kill a node's main process; its workers and the head find out."""
        os.kill(self.raylets[number], signal.SIGKILL)

    def signal_head(self, number: signal.Signals) -> None:
        """Send a signal to the process that knows all nodes, which is none of them."""
        os.kill(self.gcs, number)

    def trials(self, number: int) -> list[int]:
        """Return the processes of a node that train."""
        listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid=,args="], capture_output=True)
        rows = [line.split(maxsplit=2) for line in listed.stdout.decode().splitlines()]
        mine = [row for row in rows if row[0] == str(self.raylets[number])]
        return [int(pid) for _, pid, *args in mine if "ImplicitFunc" in str(args)]

    def stop(self) -> None:
        self.process.communicate()

    def _tell(self, *words: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        self._hear()

    def _hear(self) -> None:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            pytest.fail("the nodes have ended: see their last words on stderr")
        told = json.loads(line)
        self.address, self.raylets, self.gcs = told["address"], told["raylets"], told["gcs"]


def serve(count: int) -> None:
    """Start and stop nodes as the input's lines request; answer each with the nodes."""
    from ray.cluster_utils import Cluster

    head = {**NODE, "_system_config": QUICK, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    others = [cluster.add_node(**NODE) for _ in range(count - 1)]

    def tell() -> None:
        started = [node.all_processes["raylet"][0] for node in (cluster.head_node, *others)]
        raylets = [raylet.process.pid for raylet in started]
        gcs = cluster.head_node.all_processes["gcs_server"][0].process.pid
        told = {"address": cluster.address, "raylets": raylets, "gcs": gcs}
        print(json.dumps(told), flush=True)

    tell()
    for line in sys.stdin:
        what, *number = line.split()
        if what == "add":
            os.environ |= STARVED if number else {}
            others.append(cluster.add_node(**NODE))
            for name in STARVED:
                os.environ.pop(name, None)
        else:
            cluster.remove_node(others.pop(int(number[0]) - 1), allow_graceful=False)
        tell()
    cluster.shutdown()


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """Start so many nodes, in a folder of their own, unseen by any other Ray."""
    with (
        folder_of_a_ray() as short,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", short)
        started = Nodes(count)
        try:
            yield started
        finally:
            started.stop()


class Driver:
    """Run `scaling sweep` of a study on a cluster, in a process of its own."""

    def __init__(self, address: str, words: Sequence[str], out: Path | str) -> None:
        command = [sys.executable, "-m", "jobs.sweep", *words, "--out", str(out)]
        self.out = Path(out)
        self.process = subprocess.Popen(
            [*command, "--address", address, "--shared-fs"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | NO_TOKEN,
        )

    def until_stored(self, models: int) -> None:
        """Wait until so many models are stored."""
        self.until(lambda: len(stored(self.out)) >= models)

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 400
        while not holds():
            assert self.process.poll() is None, f"it ended: {self.said()}"
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def said(self, timeout: float = 240) -> str:
        """Return all printed lines, once it has ended."""
        return self.process.communicate(timeout=timeout)[0]


def stored(out: Path) -> list[Path]:
    return sorted((out / "metrics").glob("*.parquet"))


def results(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all results in an order that does not depend on the order of arrival."""
    metrics = pd.read_parquet(out / "metrics").drop(columns=PROVENANCE)
    predictions = pd.read_parquet(out / "predictions")
    return (
        metrics.sort_values(["run_id", "epoch"], ignore_index=True),
        predictions.sort_values("run_id", ignore_index=True),
    )


def assert_same(out: Path, expected: Path) -> None:
    """Check that every model is stored once, bit for bit."""
    for got, wanted in zip(results(out), results(expected), strict=True):
        pd.testing.assert_frame_equal(got, wanted, check_exact=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
