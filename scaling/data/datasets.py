"""The data sets by name: mnist, usps, strokes, auto, or a user's FILE.npz."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scaling import cache
from scaling.data import drawn, inspection
from scaling.data.download import Unavailable
from scaling.data.formats import inspect_npz
from scaling.data.published import SOURCES, checked, given_files, read_files
from scaling.data.selection import Dataset, DatasetInfo
from scaling.errors import InputError
from scaling.untrusted import open_regular

STROKES = drawn.INFO.name
NAMES = (*SOURCES, STROKES)
NOT_GIVEN = "data that are not given"
PREPARATION = b"2"  # of user files; raised when the same bytes give other images


def find(name: str) -> tuple[str, DatasetInfo]:
    """Prepare a grid's data set and return its source: `auto` is mnist, or else strokes.

    Raises InputError for an unknown name, and for data that is unavailable or unusable.
    """
    try:
        if name != "auto":
            source = str(Path(name).resolve()) if name.endswith(".npz") else name
            return source, prepare(source)
        return "mnist", prepare("mnist")
    except Unavailable as missing:
        if name == "auto":
            note = f"{drawn.INFO.note}, as MNIST is not available: {missing}"
            return STROKES, replace(drawn.INFO, note=note)
        raise InputError(
            f"data set {name} is not available ({missing}): put its files into the folder that"
            f" SCALING_DATA_DIR names, or use --dataset {STROKES}"
        ) from missing


def named(source: str, given: Iterable[str] = ()) -> str:
    """Return the source of a plan's data set: a known name, or the given file of that name.

    A plan may be a stranger's, and none of its paths is opened. Returns NOT_GIVEN, which cannot
    be loaded, for a file that is not given.
    """
    if source in NAMES:
        return source
    return next((path for path in given if Path(path).name == Path(source).name), NOT_GIVEN)


def describe(source: str) -> DatasetInfo:
    """Return the description of a data set without preparing a published one.

    Raises InputError for an unknown name and for an unusable file.
    """
    if source in SOURCES:
        return SOURCES[source].info
    if source == STROKES:
        return drawn.INFO
    if source.endswith(".npz"):
        return _own_file(Path(source))[0]
    if source == NOT_GIVEN:
        raise InputError("its data are a file of your own: name it with --data FILE")
    raise InputError(
        f"unknown data set '{source}': expected {', '.join(NAMES)}, auto or a file FILE.npz"
    )


def prepare(source: str) -> DatasetInfo:
    """Prepare a data set on this node if necessary (strokes are drawn when loaded) and describe it.

    Raises InputError, or Unavailable where a published data set's files are missing.
    """
    if source in SOURCES:
        _prepare_published(source)
    return describe(source)


def load(source: str, n_train: int) -> Dataset:
    """Return a prepared data set, memory-mapped, with at least `n_train` training images.

    Raises InputError, or Unavailable where a published data set's files are missing.
    """
    if source == STROKES:
        return drawn.load(n_train)
    info = describe(source)
    folder = _prepare_published(source) if source in SOURCES else _own_file(Path(source))[1]
    arrays = {part: cache.open_array(folder / f"{part}.npy") for part in cache.PARTS}
    return Dataset(info=info, **arrays)


def verify(source: str) -> str:
    """Return the sha256 of a prepared data set. Raises InputError for a damaged one."""
    if source == STROKES:
        return drawn.verify()
    folder = _prepare_published(source) if source in SOURCES else _own_file(Path(source))[1]
    return cache.verify(folder)


def _prepare_published(name: str) -> Path:
    published = SOURCES[name]
    given = given_files(published)
    return cache.make_once(
        f"{name}-v{published.info.version}",
        lambda: published.prepare(read_files(published)),
        stamps=cache.stamps_of(given),
        check=lambda: [checked(path, published.files[path.name]) for path in given],
    )


def _own_file(path: Path) -> tuple[DatasetInfo, Path]:
    """Prepare a user's images; their checksum is the version, and so part of every identity."""
    try:
        whole = hashlib.sha256(PREPARATION)
        with open_regular(path) as file:
            while block := file.read(2**20):
                whole.update(block)
    except OSError as error:
        raise InputError(f"data set {path}: {error.strerror or error}") from error
    digest = whole.hexdigest()[:24]
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
