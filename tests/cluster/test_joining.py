"""Test that a sweep joins the running Ray, or explains in one line why it cannot."""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ports import folder_of_a_ray, free_port, listens

from jobs.execution import connect
from scaling.errors import InputError


@pytest.fixture(scope="module")
def ray_head() -> Iterator[tuple[str, str]]:
    """Run `ray start --head` as a user would, without our settings; yield address and dashboard."""
    port, dashboard, agent = free_port(), free_port(), free_port()
    command = [Path(sys.executable).parent / "ray", "start", "--head", "--block", "--num-cpus=2"]
    options = [f"--port={port}", f"--dashboard-port={dashboard}", "--object-store-memory=80000000"]
    options.append(f"--dashboard-agent-listen-port={agent}")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCALING_")}
    with (
        folder_of_a_ray() as short,
        subprocess.Popen(
            [*command, *options],
            env=clean | {"RAY_TMPDIR": short, "RAY_AUTH_MODE": "disabled"},
            stdout=subprocess.DEVNULL,
        ) as head,
    ):
        try:
            deadline = time.monotonic() + 240
            while not all(map(listens, (port, dashboard, agent))):
                assert head.poll() is None, "ray start ended"
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}"
        finally:
            head.terminate()
            head.wait(30)


def test_it_joins_a_cluster_that_runs(
    ray_head: tuple[str, str], tiny_npz: Path, tmp_path: Path
) -> None:
    """The workers of that cluster get the settings that only the driver has."""
    words = ["sweep", "quickstart", "--address", ray_head[0], "--out", tmp_path / "out"]
    grid = ["--dataset", tiny_npz, "--n-train", "30", "--epochs", "2", "--seeds", "1"]
    done = subprocess.run(
        [Path(sys.executable).parent / "scaling", *words, *grid],
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "on the Ray cluster at" in done.stdout
    assert len(list((tmp_path / "out" / "metrics").iterdir())) == 2


def test_a_cluster_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something listens there, but it is no cluster that would have us."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(**_: object) -> None:
        raise ConnectionError("refused\nby host")

    monkeypatch.setattr(ray, "init", refuse)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with (
            pytest.raises(InputError, match=rf"{address}.*refused.*ray start --head") as error,
            connect.connected(address),
        ):
            pass
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("named", ["by itself", "in RAY_ADDRESS"])
def test_an_address_where_nothing_listens_is_refused_before_ray_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray waits for minutes"))
    address = f"127.0.0.1:{free_port()}"
    if named == "in RAY_ADDRESS":
        monkeypatch.setenv("RAY_ADDRESS", address)
    with (
        pytest.raises(InputError, match=r"no Ray cluster answers at '.*refused.*--address local"),
        connect.connected("auto" if named == "in RAY_ADDRESS" else address),
    ):
        pass


def test_a_local_folder_on_several_nodes_is_refused_unless_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}, {"Alive": True}, {"Alive": False}])
    with pytest.raises(InputError, match=r"2 nodes.*--shared-fs"):
        connect.check_shared("out", is_local=True, shared_fs=False)
    connect.check_shared("out", is_local=True, shared_fs=True)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}])
    connect.check_shared("out", is_local=True, shared_fs=False)
    with pytest.raises(InputError, match=r"autoscaler.*--shared-fs"):
        connect.check_shared("out", is_local=True, shared_fs=False, grows=True)
    connect.check_shared("s3://bucket", is_local=False, shared_fs=False)


def test_a_local_ray_leaves_no_token_that_others_can_read(tmp_path: Path) -> None:
    """Ray makes one by itself, in a file that the umask leaves open."""
    code = "from jobs.execution import connect\nwith connect.connected('local', 1): pass"
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True)
    token = tmp_path / ".ray" / "auth_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
