"""The data sets: where they are found, how they are checked, prepared and cached on a node.

A data set is prepared once per node under a file lock, as .npy files that are memory-mapped. Files
are looked for in SCALING_DATA_DIR, then in the cache, then on the mirrors.
"""

import gzip
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock

from scaling import drawn
from scaling.data import Array, Dataset, DatasetInfo, checksum
from scaling.download import Unavailable, fetch
from scaling.errors import InputError
from scaling.formats import bilinear, read_idx, read_npz, read_zip_digits

Arrays = dict[str, Array]
PARTS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A published data set: its files with the sha256 of their decompressed bytes, and its mirrors."""

    info: DatasetInfo
    files: Mapping[str, str]
    mirrors: tuple[str, ...]
    prepare: Callable[[list[bytes]], Arrays]


def _prepare_mnist(files: list[bytes]) -> Arrays:
    x_train, y_train, x_test, y_test = map(read_idx, files)
    return {
        "x_train": bilinear(x_train / np.float32(127.5) - np.float32(1)),
        "y_train": y_train,
        "x_test": bilinear(x_test / np.float32(127.5) - np.float32(1)),
        "y_test": y_test,
    }


def _prepare_usps(files: list[bytes]) -> Arrays:
    (x_train, y_train), (x_test, y_test) = map(read_zip_digits, files)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


SOURCES = {
    "mnist": Source(
        info=DatasetInfo(
            name="mnist",
            version="1",
            n_train=60_000,
            n_test=10_000,
            n_val=10_000,
            note="MNIST, cut to 16x16 by bilinear interpolation as in the 2022 reproduction",
        ),
        files={
            "train-images-idx3-ubyte.gz": (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
            ),
            "train-labels-idx1-ubyte.gz": (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
            ),
            "t10k-images-idx3-ubyte.gz": (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
            ),
        },
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        prepare=_prepare_mnist,
    ),
    "usps": Source(
        info=DatasetInfo(
            name="usps",
            version="1",
            n_train=7_291,
            n_test=2_007,
            n_val=7_291 // 5,
            note="zip-code digits, the data of the 1989/1990 papers (Elements of Statistical Learning)",
        ),
        files={
            "zip.train.gz": "abc9f5c75b997cabe66b5d01727d5a681c69298e1641a8d37b55433a52129dc0",
            "zip.test.gz": "6bde17b4f1cd68e0630cd2751d6495b5795d9165ab2dc4a0be8b7002b732f4cc",
        },
        mirrors=("https://hastie.su.domains/ElemStatLearn/datasets/",),
        prepare=_prepare_usps,
    ),
}
NAMES = (*SOURCES, drawn.INFO.name)


def cache_dir() -> Path:
    """SCALING_CACHE_DIR, or the user's cache folder."""
    named = os.environ.get("SCALING_CACHE_DIR")
    return Path(named) if named else Path(platformdirs.user_cache_dir("scaling-study"))


def describe(source: str) -> DatasetInfo:
    """What a data set offers, without preparing it. `source` is a name or the path of an .npz file.

    Raises InputError for an unknown name and for a file that cannot be used.
    """
    if source in SOURCES:
        return SOURCES[source].info
    if source == drawn.INFO.name:
        return drawn.INFO
    if source.endswith(".npz"):
        return _prepare_npz(Path(source))[0]
    raise InputError(
        f"unknown data set '{source}': expected {', '.join(NAMES)}, auto or a file FILE.npz"
    )


def find(name: str) -> tuple[str, DatasetInfo]:
    """The source that a grid's data set stands for, prepared: `auto` is mnist, or else strokes.

    Raises InputError if it cannot be had.
    """
    if name == "auto":
        try:
            prepare("mnist")
            return "mnist", describe("mnist")
        except Unavailable as missing:
            note = f"drawn by our own generator, as MNIST cannot be had ({missing})"
            info = drawn.INFO
            return info.name, DatasetInfo(**asdict(info) | {"note": note})
    source = str(Path(name).resolve()) if name.endswith(".npz") else name
    try:
        prepare(source)
    except Unavailable as missing:
        raise InputError(
            f"data set {name} cannot be had ({missing}): put its files into the folder that"
            " SCALING_DATA_DIR names, or use --dataset strokes"
        ) from missing
    return source, describe(source)


def load(source: str, n_train: int) -> Dataset:
    """A prepared data set, memory-mapped, with at least `n_train` training images.

    Raises InputError, or Unavailable where the files of a published data set cannot be had.
    """
    if source == drawn.INFO.name:
        return drawn.load(cache_dir() / "datasets", n_train)
    folder = prepare(source)
    arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in PARTS}
    return Dataset(info=describe(source), **arrays)


def prepare(source: str) -> Path | None:
    """Prepare a data set on this node unless that is done; its folder (None: drawn when loaded)."""
    if source in SOURCES:
        published = SOURCES[source]
        found = _given_files(published)
        return _once(
            f"{source}-v{published.info.version}",
            lambda: published.prepare(_read_files(published)),
            fresh=_stamps(found),
            verify=lambda: [_checked(path, published.files[path.name]) for path in found],
        )
    if source == drawn.INFO.name:
        return None
    describe(source)
    return _prepare_npz(Path(source))[1]


def verify(source: str) -> str:
    """sha256 over the arrays of a prepared data set, compared with the one noted when it was made.

    Raises InputError if the cache was damaged since.
    """
    folder = prepare(source)
    if folder is None:
        return drawn.verify(cache_dir() / "datasets")
    got = checksum(np.load(folder / f"{part}.npy", mmap_mode="r") for part in PARTS)
    expected = json.loads((folder / "made.json").read_text())["sha256"]
    if got != expected:
        raise InputError(
            f"{folder} was damaged: sha256 {got[:12]}…, expected {expected[:12]}…;"
            " delete it and it is made again"
        )
    return got


def _given_files(published: Source) -> list[Path]:
    """Files of a data set that the user's own data folder holds."""
    named = os.environ.get("SCALING_DATA_DIR")
    if not named:
        return []
    folder = Path(named) / published.info.name
    return [folder / name for name in published.files if (folder / name).exists()]


def _read_files(published: Source) -> list[bytes]:
    """The checked, decompressed files, from the user's folder, the cache or a mirror."""
    given = {path.name: path for path in _given_files(published)}
    raw = []
    for name, sha256 in published.files.items():
        path = given.get(name) or cache_dir() / "downloads" / published.info.name / name
        if not path.exists():
            _download(published, name, path)
        raw.append(_checked(path, sha256))
    return raw


def _download(published: Source, name: str, path: Path) -> None:
    if os.environ.get("SCALING_OFFLINE", "") not in ("", "0"):
        raise Unavailable(f"{name} is not on this machine and SCALING_OFFLINE is set")
    mirrors = os.environ.get("SCALING_MIRRORS", "").replace(",", " ").split()
    if mirrors:  # a mirror may hold one folder a data set, or be that folder
        bases = [m.rstrip("/") for m in mirrors]
        urls = [f"{base}/{part}" for base in bases for part in (f"{published.info.name}/{name}", name)]
    else:
        urls = [f"{base}{name}" for base in published.mirrors]
    fetch(urls, path, published.files[name])


def _checked(path: Path, sha256: str) -> bytes:
    """The decompressed bytes of a gzip file. Raises InputError if they are not the published ones."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected a whole gzip file; replace or delete it"
        ) from error
    got = hashlib.sha256(raw).hexdigest()
    if got != sha256:
        raise InputError(
            f"{path} has the sha256 {got[:12]}… when decompressed, expected {sha256[:12]}…:"
            " replace or delete it"
        )
    return raw


def _prepare_npz(path: Path) -> tuple[DatasetInfo, Path]:
    if not path.is_file():
        raise InputError(f"data set {path}: no such file")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    folder = _once(f"npz-{digest[:24]}", lambda: dict(read_npz(str(path))))
    made = json.loads((folder / "made.json").read_text())
    n_train, n_test = made["rows"]["y_train"], made["rows"]["y_test"]
    info = DatasetInfo(
        name=path.name,
        version=digest[:24],
        n_train=n_train,
        n_test=n_test,
        n_val=n_train // 5,
        note=f"your own file {path.name}",
    )
    return info, folder


def _once(
    name: str,
    make: Callable[[], Arrays],
    fresh: dict[str, Any] | None = None,
    verify: Callable[[], object] | None = None,
) -> Path:
    """Make the arrays of a data set in the cache unless they are there; the folder.

    The user's own files are checked again (`verify`) whenever they look different (`fresh`) from
    when they were last checked, so that a damaged file is named even where the cache would do.
    """
    folder = cache_dir() / "datasets" / name
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            note = folder / "made.json"
            if not note.exists():
                _make(folder, make(), fresh)
            elif fresh and verify and (made := json.loads(note.read_text()))["files"] != fresh:
                verify()
                _write_text(note, json.dumps(made | {"files": fresh}))
    except PermissionError as error:
        raise InputError(
            f"the cache {cache_dir()} cannot be written ({error.strerror}):"
            " name a folder of yours in SCALING_CACHE_DIR"
        ) from error
    return folder


def _make(folder: Path, arrays: Arrays, fresh: dict[str, Any] | None) -> None:
    """Write everything into a folder beside the final one and move it there in one step."""
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        for name in PARTS:
            np.save(part / f"{name}.npy", arrays[name])
        made = {
            "sha256": checksum(arrays[name] for name in PARTS),
            "rows": {name: len(arrays[name]) for name in PARTS},
            "files": fresh or {},
        }
        (part / "made.json").write_text(json.dumps(made))
        if folder.exists():
            shutil.rmtree(folder)  # half-made by an earlier version: it has no made.json
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_text(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def _stamps(paths: list[Path]) -> dict[str, Any]:
    return {str(path.resolve()): [path.stat().st_size, path.stat().st_mtime_ns] for path in paths}
