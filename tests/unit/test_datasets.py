"""Test the sources of data: real files, damaged ones, mirrors that work, fail or hang."""

import functools
import gzip
import http.server
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaling.cache import cache_dir
from scaling.data import datasets, download, published
from scaling.errors import InputError


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server on loopback and the folder that it serves."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, no_data: None) -> dict[str, bytes]:  # noqa: ARG001
    """A published data set of two small files, in place of usps; the files by name."""
    rng = np.random.default_rng(0)
    raw = {}
    for name, n in (("zip.train.gz", 30), ("zip.test.gz", 20)):
        rows = [
            f"{i % 10} " + " ".join(f"{g:.3f}" for g in rng.uniform(-1, 1, 256)) for i in range(n)
        ]
        raw[name] = "\n".join(rows).encode()
    usps = published.SOURCES["usps"]
    fake = replace(
        usps,
        info=replace(usps.info, n_train=30, n_test=20, n_val=6),
        files={name: download.hashlib.sha256(body).hexdigest() for name, body in raw.items()},
    )
    monkeypatch.setitem(published.SOURCES, "usps", fake)
    monkeypatch.delenv("SCALING_OFFLINE")
    return {name: gzip.compress(body) for name, body in raw.items()}


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        (folder / name).write_bytes(body)


def test_real_mnist_is_cut_and_counted(data_dir: Path) -> None:  # noqa: ARG001
    source, info = datasets.find("auto")
    data = datasets.load(source, 1)
    assert (source, info.n_train, info.n_test) == ("mnist", 60_000, 10_000)
    assert data.x_train[np.arange(60_000)].shape == (60_000, 16, 16)
    assert np.bincount(data.y_test).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert float(data.x_test.min()) == -1
    assert len(datasets.verify("mnist")) == 64


def test_real_usps_is_the_published_split(data_dir: Path) -> None:  # noqa: ARG001
    data = datasets.load(datasets.find("usps")[0], 1)
    train = np.bincount(data.y_train[np.arange(7291)]).tolist()
    assert train == [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
    assert np.bincount(data.y_test).tolist() == [359, 264, 198, 166, 200, 160, 170, 147, 166, 177]


@pytest.mark.parametrize("damage", ["truncated", "changed", "not gzip", "empty"])
def test_a_damaged_file_of_the_user_is_named(
    small: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    put(tmp_path / "data" / "usps", small)
    monkeypatch.setenv("SCALING_DATA_DIR", str(tmp_path / "data"))
    datasets.find("usps")  # the cache is good from here on, and the file is named all the same
    broken = tmp_path / "data" / "usps" / "zip.test.gz"
    good = small["zip.test.gz"]
    bodies = {
        "truncated": good[: len(good) // 2],
        "changed": gzip.compress(gzip.decompress(good)[:-1] + b"9"),
        "not gzip": b"<html>404</html>",
        "empty": b"",
    }
    broken.write_bytes(bodies[damage])
    with pytest.raises(InputError, match=r"zip\.test\.gz") as error:
        datasets.find("usps")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"zip\.test\.gz"):
        datasets.load("usps", 1)
    broken.write_bytes(good)
    datasets.find("usps")


@pytest.mark.parametrize("layout", ["usps/", ""])
def test_files_are_downloaded_from_the_users_mirror(
    small: dict[str, bytes],
    mirror: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
) -> None:
    url, folder = mirror
    put(folder / layout, small)
    monkeypatch.setenv("SCALING_MIRRORS", f"http://127.0.0.1:9/ {url}/")
    source, info = datasets.find("usps")
    assert (info.n_train, info.n_test) == (30, 20)
    shutil.rmtree(folder)  # from here on the cache serves
    assert len(datasets.load(source, 1).y_train) == 30


def test_a_mirror_with_other_bytes_is_passed_over(
    small: dict[str, bytes], mirror: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = mirror
    put(folder / "bad", {name: gzip.compress(b"0 1") for name in small})
    put(folder / "good", small)
    monkeypatch.setenv("SCALING_MIRRORS", f"{url}/bad")
    with pytest.raises(InputError, match=r"sha256 .* expected"):
        datasets.find("usps")
    assert not list((cache_dir() / "downloads" / "usps").iterdir())  # nothing wrong is kept
    monkeypatch.setenv("SCALING_MIRRORS", f"{url}/bad,{url}/good")
    datasets.find("usps")


def test_a_silent_mirror_is_given_up_within_seconds(
    small: dict[str, bytes],  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        monkeypatch.setenv("SCALING_MIRRORS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(InputError, match=r"no answer within 0.5 s|timed out"):
            datasets.find("usps")
        silent.setblocking(False)
        asked = 0
        with suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                asked += 1
        assert asked == 2, "each of two addresses once: neither is tried again and again"


def test_offline_never_asks(
    small: dict[str, bytes], mirror: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = mirror
    put(folder, small)
    monkeypatch.setenv("SCALING_MIRRORS", url)
    monkeypatch.setenv("SCALING_OFFLINE", "1")
    with pytest.raises(InputError, match="SCALING_OFFLINE"):
        datasets.find("usps")


def test_auto_draws_digits_where_mnist_cannot_be_had(no_data: None) -> None:  # noqa: ARG001
    source, info = datasets.find("auto")
    assert source == info.name == "strokes"
    assert "MNIST is not available" in info.note


def test_a_data_folder_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALING_DATA_DIR", "/nowhere/data")
    with pytest.raises(InputError, match="SCALING_DATA_DIR names /nowhere/data"):
        datasets.find("auto")


def test_auto_does_not_hide_a_damaged_mnist(
    no_data: None,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = dict.fromkeys(published.SOURCES["mnist"].files, b"broken")
    put(tmp_path / "data" / "mnist", files)
    monkeypatch.setenv("SCALING_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(InputError, match=r"train-images"):
        datasets.find("auto")


@pytest.mark.parametrize("name", ["minst", "", "digits.csv"])
def test_an_unknown_data_set_is_named_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"unknown data set.*mnist, usps, strokes"):
        datasets.find(name)


def test_anybodys_file_is_a_data_set(tiny_npz: Path) -> None:
    source, info = datasets.find(str(tiny_npz))
    assert (info.name, info.n_train, info.n_test, info.n_val) == ("rows.npz", 300, 100, 60)
    data = datasets.load(source, 300)
    assert data.x_train[np.arange(2)].shape == (2, 16, 16)
    with np.load(tiny_npz) as before:
        changed = dict(before)
    changed["y_test"][0] ^= 1
    np.savez(tiny_npz, **changed)
    assert datasets.find(str(tiny_npz))[1].version != info.version


def test_a_missing_own_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.npz"):
        datasets.find(str(tmp_path / "nowhere.npz"))


def test_a_damaged_cache_is_noticed(tiny_npz: Path, no_data: None) -> None:  # noqa: ARG001
    source, _ = datasets.find(str(tiny_npz))
    before = datasets.verify(source)
    data = datasets.load(source, 1)
    path = Path(data.x_train.filename)  # type: ignore[attr-defined]
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)
    with pytest.raises(InputError, match=rf"{before[:12]}.*delete it"):
        datasets.verify(source)
    path.write_bytes(body[:200])
    with pytest.raises(InputError, match=r"x_train\.npy is damaged"):
        datasets.load(source, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="SCALING_CACHE_DIR"):
        datasets.load("strokes", 10)


def test_a_cache_below_a_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCALING_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match="SCALING_CACHE_DIR"):
        datasets.load("strokes", 10)


def prepare_in_a_process(path: str) -> str:
    return datasets.verify(datasets.find(path)[0])


def test_processes_prepare_a_data_set_once_and_agree(
    tiny_npz: Path,
) -> None:
    from multiprocessing import get_context

    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(prepare_in_a_process, [str(tiny_npz)] * 4))
    assert len(set(found)) == 1
    leftovers = [
        p.name for p in (cache_dir() / "datasets").iterdir() if p.name.startswith(".making")
    ]
    assert not leftovers
