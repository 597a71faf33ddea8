"""Ray's folder: made for one user, refused where others could get at it; and the joined head."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.execution import own_ray
from scaling.errors import InputError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide a folder whose name leaves room for a socket, as the one for temporary files."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_folder_is_made_for_its_user_alone_and_is_the_same_next_time(short: Path) -> None:
    folder = own_ray.private_folder()
    assert folder == short / f"scaling-{os.geteuid()}"
    assert mode(folder) == 0o700
    assert own_ray.private_folder() == folder
    assert own_ray.sessions() == str(folder / "ray")


def refused(match: str) -> None:
    with pytest.raises(InputError, match=match) as error:
        own_ray.private_folder()
    assert "RAY_TMPDIR" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_link_is_refused(short: Path) -> None:
    (short / "elsewhere").mkdir(mode=0o700)
    (short / f"scaling-{os.geteuid()}").symlink_to(short / "elsewhere")
    refused("is a link")


@pytest.mark.usefixtures("short")
def test_a_folder_that_is_open_is_refused() -> None:
    own_ray.private_folder().chmod(0o710)
    refused("open to others .mode 0710")


@as_root
@pytest.mark.usefixtures("short")
def test_a_folder_of_another_user_is_refused() -> None:
    """Who made it first could enter it."""
    os.chown(own_ray.private_folder(), 65534, 65534)
    refused("belongs to another user .number 65534")


def test_a_folder_that_others_may_rename_is_refused(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (short / "all").mkdir()
    (short / "all").chmod(0o777)
    monkeypatch.setenv("RAY_TMPDIR", str(short / "all" / "mine"))
    refused("others may rename it")
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv("TMPDIR", str(short / "all"))
    assert own_ray.private_folder().parent != short / "all"


def test_a_name_too_long_for_a_socket_is_refused_if_it_was_named(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = short / ("x" * 60)
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    refused("too long")
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv("TMPDIR", str(long))
    assert own_ray._shared_folder() != long


def test_a_command_of_ray_gets_the_folder_and_the_token(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        os.environ.pop(name, None)
    os.environ["HOME"] = str(short)
    folder = f"--temp-dir={own_ray.sessions()}"
    call = own_ray.command(["start", "--address=host:1"])
    assert call == [sys.executable, "-P", "-m", "ray.scripts.scripts", "start", folder, call[-1]]
    assert call[-1] == "--address=host:1"
    assert not (short / ".ray").exists()  # a node has its head's token, or none
    assert own_ray.command(["stop"])[-1] == "stop"
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ
    own_ray.command(["start", "--head", "--node-ip-address=127.0.0.1"])
    assert mode(short / ".ray" / "auth_token") == 0o600
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_TMPDIR"] == str(own_ray.private_folder())
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    with pytest.raises(InputError, match="RAY_TMPDIR"):
        own_ray.command(["start", "--temp-dir=/tmp/ray"])


def raylets(monkeypatch: pytest.MonkeyPatch, address: str, uid: int) -> None:
    import psutil  # Ray brings it

    words = ["raylet", f"--gcs-address={address}"]
    info = {"cmdline": words, "uids": SimpleNamespace(effective=uid)}
    monkeypatch.setattr(psutil, "process_iter", lambda *_: [SimpleNamespace(info=info)])


@pytest.mark.parametrize("where", ["in our folder", "in Ray's own"])
def test_only_a_cluster_of_this_user_is_joined_unasked(
    short: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Ray's own search takes whatever runs on the machine, and would show it the token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    raylets(monkeypatch, "10.0.0.1:6379", os.geteuid())
    assert own_ray.running_head() is None
    folder = Path(own_ray.sessions()) if where == "in our folder" else short / "ray"
    folder.mkdir()
    file = folder / "ray_current_cluster"
    file.write_text("10.0.0.1:6379")
    assert own_ray.running_head() == "10.0.0.1:6379"
    raylets(monkeypatch, "10.0.0.1:6379", os.geteuid() + 1)
    assert own_ray.running_head() is None
    raylets(monkeypatch, "10.0.0.2:6379", os.geteuid())  # another, and this one was killed
    assert own_ray.running_head() is None
    raylets(monkeypatch, "10.0.0.1:6379", os.geteuid())
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
        assert own_ray.running_head() is None
