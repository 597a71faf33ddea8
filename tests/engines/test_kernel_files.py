"""Test files of kernels: never used when damaged, foreign or open to others."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from stored_kernels import TANH, OnDisk

from scaling.engines.compiled import kernel_cache, kernel_file
from scaling.engines.compiled.kernel_file import StoredKernel
from scaling.engines.compiled.kernels import Kernels
from scaling.errors import InputError


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-1],
        lambda body: body + b"x",
        lambda body: body[: len(body) // 2],
        lambda _: b"",
        lambda body: body.replace(b'"format": 2', b'"format": 1', 1),
        lambda body: body.replace(b'"train"', b'"other"', 1),
        lambda body: b"[" * 100_000 + body,
        lambda body: b"null\n" + body,
        lambda body: body[:-100] + bytes([body[-100] ^ 1]) + body[-99:],
    ],
)
def test_a_damaged_file_is_no_kernel(
    damage: Callable[[bytes], bytes], copied_kernel: OnDisk
) -> None:
    path, key, stored = copied_kernel
    assert kernel_file.read(path, key, Kernels._fields) == stored
    path.write_bytes(damage(path.read_bytes()))
    assert kernel_file.read(path, key, Kernels._fields) is None


def test_a_kernel_of_another_key_is_not_used(copied_kernel: OnDisk) -> None:
    path, key, _ = copied_kernel
    assert kernel_file.read(path, key[::-1], Kernels._fields) is None


def test_a_file_that_others_can_write_is_not_used(
    copied_kernel: OnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    path, key, _ = copied_kernel
    path.chmod(0o620)
    assert kernel_file.read(path, key, Kernels._fields) is None
    assert "not this user's alone" in capsys.readouterr().err


def test_a_folder_that_others_could_write_is_emptied_and_closed(
    copied_kernel: OnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _, _ = copied_kernel
    path.parent.chmod(0o777)
    assert kernel_file.private_folder() == path.parent
    assert not path.exists()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "was writable by others" in capsys.readouterr().err


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)
def test_what_belongs_to_somebody_else_is_not_used(
    copied_kernel: OnDisk,
) -> None:
    path, key, _ = copied_kernel
    os.chown(path, 65534, -1)
    assert kernel_file.read(path, key, Kernels._fields) is None
    os.chown(path.parent, 65534, -1)
    with pytest.raises(InputError, match=r"belongs to another user.*SCALING_CACHE_DIR"):
        kernel_file.private_folder()


def test_a_new_cache_is_closed_whatever_the_users_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "new"))
    before = os.umask(0)
    try:
        folder = kernel_file.private_folder()
        kernel_file.write(
            folder / "a.kernel", "key", StoredKernel(codes={"train": b"x"}, digest="")
        )
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "a.kernel").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["a.kernel"]


def test_a_cache_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot be used .*SCALING_CACHE_DIR"):
        kernel_cache.load_kernels.__wrapped__(TANH)


def test_a_kernel_that_cannot_be_read_is_one_line(
    copied_kernel: OnDisk,
) -> None:
    path, key, _ = copied_kernel
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"cannot be read .*: delete it"):
        kernel_file.read(path, key, Kernels._fields)
