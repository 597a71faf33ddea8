"""The data sets by name: mnist, usps, strokes, auto, or anybody's FILE.npz."""

import hashlib
from dataclasses import replace
from pathlib import Path

from scaling import cache
from scaling.data import drawn, inspection
from scaling.data.download import Unavailable
from scaling.data.formats import inspect_npz
from scaling.data.published import SOURCES, checked, given_files, read_files
from scaling.data.selection import Dataset, DatasetInfo
from scaling.errors import InputError

STROKES = drawn.INFO.name
NAMES = (*SOURCES, STROKES)
PREPARATION = b"2"  # of anybody's own file; raised when other images are made of the same bytes


def find(name: str) -> tuple[str, DatasetInfo]:
    """The source that a grid's data set stands for, prepared: `auto` is mnist, or else strokes.

    Raises InputError for an unknown name, and for data that cannot be had or used.
    """
    try:
        if name != "auto":
            source = str(Path(name).resolve()) if name.endswith(".npz") else name
            return source, prepare(source)
        return "mnist", prepare("mnist")
    except Unavailable as missing:
        if name == "auto":
            note = f"{drawn.INFO.note}, as MNIST cannot be had: {missing}"
            return STROKES, replace(drawn.INFO, note=note)
        raise InputError(
            f"data set {name} cannot be had ({missing}): put its files into the folder that"
            f" SCALING_DATA_DIR names, or use --dataset {STROKES}"
        ) from missing


def describe(source: str) -> DatasetInfo:
    """What a data set offers, without preparing a published one.

    Raises InputError for an unknown name and for a file that cannot be used.
    """
    if source in SOURCES:
        return SOURCES[source].info
    if source == STROKES:
        return drawn.INFO
    if source.endswith(".npz"):
        return _own_file(Path(source))[0]
    raise InputError(
        f"unknown data set '{source}': expected {', '.join(NAMES)}, auto or a file FILE.npz"
    )


def prepare(source: str) -> DatasetInfo:
    """Prepare a data set on this node unless that is done (strokes are drawn when loaded).

    Raises InputError, or Unavailable where the files of a published data set cannot be had.
    """
    if source in SOURCES:
        _published(source)
    return describe(source)


def load(source: str, n_train: int) -> Dataset:
    """A prepared data set, memory-mapped, with at least `n_train` training images.

    Raises InputError, or Unavailable where the files of a published data set cannot be had.
    """
    if source == STROKES:
        return drawn.load(n_train)
    info = describe(source)
    folder = _published(source) if source in SOURCES else _own_file(Path(source))[1]
    arrays = {part: cache.open_array(folder / f"{part}.npy") for part in cache.PARTS}
    return Dataset(info=info, **arrays)


def verify(source: str) -> str:
    """The sha256 of a prepared data set. Raises InputError if it was damaged since it was made."""
    if source == STROKES:
        return drawn.verify()
    return cache.verify(_published(source) if source in SOURCES else _own_file(Path(source))[1])


def _published(name: str) -> Path:
    published = SOURCES[name]
    given = given_files(published)
    return cache.make_once(
        f"{name}-v{published.info.version}",
        lambda: published.prepare(read_files(published)),
        stamps=cache.stamps_of(given),
        check=lambda: [checked(path, published.files[path.name]) for path in given],
    )


def _own_file(path: Path) -> tuple[DatasetInfo, Path]:
    """Anybody's own images; their checksum is the version, and so part of every identity."""
    try:
        digest = hashlib.sha256(PREPARATION + path.read_bytes()).hexdigest()[:24]
    except OSError as error:
        raise InputError(f"data set {path}: {error.strerror}") from error
    folder = cache.inspect_once(f"npz-{digest}", lambda: inspect_npz(str(path)), inspection.VERSION)
    rows = cache.rows(folder)
    info = DatasetInfo(
        name=path.name,
        version=digest,
        n_train=rows["y_train"],
        n_test=rows["y_test"],
        n_val=rows["y_train"] // 5,
        note=f"your own file {path.name}",
        warnings=cache.warnings(folder),
    )
    return info, folder
