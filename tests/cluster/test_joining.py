"""Test that a sweep joins the running Ray, or explains in one line why it cannot."""

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ports import folder_of_a_ray, free_port, listens

from jobs.execution import connect, probe
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


@pytest.mark.parametrize(
    ("answer", "why"),
    [(None, "says nothing for 0.5 s"), (b"HTTP/1.1 400 Bad Request\r\n", "is no Ray")],
)
def test_what_listens_and_is_no_head_is_one_line_before_ray_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | None, why: str
) -> None:
    """A stopped head accepts connections, and never speaks; a server of something else does."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray waits for minutes"))
    monkeypatch.setattr(probe, "ANSWER_S", 0.5 if answer is None else 60.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer or b"")

        if answer:
            threading.Thread(target=serve, daemon=True).start()
        with (
            pytest.raises(InputError, match=rf"{address}.*{why}.*ray start --head") as error,
            connect.connected(address),
        ):
            pass
    assert "\n" not in str(error.value)


def test_a_head_that_answers_is_greeted(ray_head: tuple[str, str]) -> None:
    probe.greet(ray_head[0])


JOIN = """
import os
from jobs.execution.probe import check_head
check_head(os.environ["ADDRESS"], auto=False)
"""
START = """
import os, subprocess, sys, ray
from jobs.execution import connect
with connect.connected("local", 1):
    address = ray.get_runtime_context().gcs_address
    for mode in ("token", "disabled"):
        given = {"ADDRESS": address, "RAY_AUTH_TOKEN": "f" * 64, "RAY_AUTH_MODE": mode}
        subprocess.run([sys.executable, "-c", sys.argv[1]], env=os.environ | given)
"""


@pytest.mark.slow
def test_a_wrong_token_and_none_are_called_so(tmp_path: Path) -> None:
    """A local Ray has a token of its own; Ray itself would try for 20 s and blame the address."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", START, JOIN], env=env, capture_output=True, text=True
    )
    assert done.stderr.count("takes another token than ours: set RAY_AUTH_MODE=token") == 2
    assert "Failed to get cluster ID" not in done.stderr  # Ray's own words for it


ENDED = """
import os, sys, ray
from jobs.cli.main import main
ray.init = lambda **_: os._exit(1)
main(sys.argv[1:])
"""


def test_what_is_stored_is_told_where_ray_ends_the_process_as_it_joins(
    tiny_npz: Path, tmp_path: Path
) -> None:
    """Schedule 28: Ray does so from C++ where the head dies meanwhile, and nothing said more."""
    words = ["sweep", "quickstart", "--dataset", tiny_npz, "--n-train", 30, "--seeds", 2]
    more = ["--epochs", 2, "--address", "local", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", ENDED, *map(str, (*words, *more))], capture_output=True, text=True
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("scaling: this process was ended from outside"), done.stderr
    assert last.endswith(
        f"0 of 4 models are stored in {tmp_path / 'out'}; run the same command again to go on"
    )


@pytest.mark.parametrize(
    "error",
    [
        Exception("The current node timed out during startup.\nIt may be busy."),
        PermissionError(13, "Permission denied"),
        OSError(28, "No space left on device"),
        OSError(37, "No locks available"),
    ],
)
def test_a_local_ray_that_cannot_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """These are what Ray 2.60 raises on a busy machine, and of temporary folders of such kinds."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", fail)
    with (
        pytest.raises(InputError, match=r"no Ray could start .*see that .*RAY_TMPDIR") as told,
        connect.connected("local", 1),
    ):
        pass
    assert "\n" not in str(told.value)


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
