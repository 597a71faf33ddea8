"""The published data sets: their files, checksums and mirrors, and how a file is come by.

A file is looked for in SCALING_DATA_DIR, then among earlier downloads, then on the mirrors.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaling.cache import Arrays, cache_dir
from scaling.data.download import Unavailable, fetch
from scaling.data.formats import bilinear, read_idx, read_zip_digits
from scaling.data.selection import DatasetInfo, to_unit_range
from scaling.errors import InputError
from scaling.untrusted import MOST_UNZIPPED, read_regular, unzip


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedDataset:
    """A published data set: its files with their sha256 when decompressed, and its mirrors."""

    info: DatasetInfo
    files: Mapping[str, str]
    mirrors: tuple[str, ...]
    prepare: Callable[[list[bytes]], Arrays]


def _prepare_mnist(files: list[bytes]) -> Arrays:
    x_train, y_train, x_test, y_test = map(read_idx, files)
    return {
        "x_train": bilinear(to_unit_range(x_train)),
        "y_train": y_train,
        "x_test": bilinear(to_unit_range(x_test)),
        "y_test": y_test,
    }


def _prepare_usps(files: list[bytes]) -> Arrays:
    (x_train, y_train), (x_test, y_test) = map(read_zip_digits, files)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


SOURCES = {
    "mnist": PublishedDataset(
        info=DatasetInfo(
            name="mnist",
            version="2",  # 1 was rounded as the machine's BLAS did it
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
    "usps": PublishedDataset(
        info=DatasetInfo(
            name="usps",
            version="1",
            n_train=7_291,
            n_test=2_007,
            n_val=7_291 // 5,
            note="zip-code digits (USPS), the data of the 1989/1990 papers",
        ),
        files={
            "zip.train.gz": "abc9f5c75b997cabe66b5d01727d5a681c69298e1641a8d37b55433a52129dc0",
            "zip.test.gz": "6bde17b4f1cd68e0630cd2751d6495b5795d9165ab2dc4a0be8b7002b732f4cc",
        },
        mirrors=("https://hastie.su.domains/ElemStatLearn/datasets/",),
        prepare=_prepare_usps,
    ),
}


def given_files(published: PublishedDataset) -> list[Path]:
    """Files of a data set that the user's own data folder holds."""
    named = os.environ.get("SCALING_DATA_DIR")
    if not named:
        return []
    if not Path(named).is_dir():
        raise InputError(
            f"SCALING_DATA_DIR names {named}, which is no folder: name the folder of the data sets,"
            " or leave it unset"
        )
    folder = Path(named) / published.info.name
    return [folder / name for name in published.files if (folder / name).exists()]


def read_files(published: PublishedDataset) -> list[bytes]:
    """The checked, decompressed files, from the user's folder, the cache or a mirror."""
    given = {path.name: path for path in given_files(published)}
    raw = []
    for name, sha256 in published.files.items():
        path = given.get(name) or cache_dir() / "downloads" / published.info.name / name
        if not path.exists():
            _download(published, name, path)
        raw.append(checked(path, sha256))
    return raw


def _download(published: PublishedDataset, name: str, path: Path) -> None:
    if os.environ.get("SCALING_OFFLINE", "") not in ("", "0"):
        raise Unavailable(f"{name} is not on this machine and SCALING_OFFLINE is set")
    mirrors = os.environ.get("SCALING_MIRRORS", "").replace(",", " ").split()
    if mirrors:  # a mirror may hold one folder a data set, or be that folder
        bases = [m.rstrip("/") for m in mirrors]
        urls = [
            f"{base}/{part}" for base in bases for part in (f"{published.info.name}/{name}", name)
        ]
    else:
        urls = [f"{base}{name}" for base in published.mirrors]
    fetch(urls, path, published.files[name])


def checked(path: Path, sha256: str) -> bytes:
    """The decompressed bytes of a file. Raises InputError if they are not the published ones."""
    try:
        raw = unzip(read_regular(path, MOST_UNZIPPED))
    except (OSError, EOFError, ValueError, zlib.error) as error:
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
