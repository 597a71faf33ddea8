"""The data set `strokes` on disk: digits drawn once per node in blocks and cached as uint8."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scaling import cache
from scaling.cache import Array, checksum
from scaling.data import strokes
from scaling.data.selection import Dataset, DatasetInfo
from scaling.errors import InputError
from scaling.progress import Progress

BLOCK = 131_072  # images a file, 34 MB; a seed's order is drawn within each block
HELD_OUT = 10_000
_NAME = f"strokes-v{strokes.VERSION}"
INFO = DatasetInfo(
    name="strokes",
    version=str(strokes.VERSION),
    n_train=2**26,  # 17 GB of cache
    n_test=HELD_OUT,
    n_val=HELD_OUT,
    val_in_train=False,
    block=BLOCK,
    note="digits drawn by our own generator",
)


class Blocks:
    """Several arrays indexed as one, which together need not fit into memory."""

    def __init__(self, parts: list[Array]) -> None:
        self.parts = parts
        self.shape = (sum(len(part) for part in parts), *parts[0].shape[1:])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, indices: Array, /) -> Array:
        taken = np.empty((len(indices), *self.shape[1:]), self.parts[0].dtype)
        for number, part in enumerate(self.parts):
            here = indices // BLOCK == number
            taken[here] = part[indices[here] - number * BLOCK]
        return taken


def load(n_train: int) -> Dataset:
    """Return the data set with at least `n_train` training images; draw the missing ones.

    Raises InputError where the cache cannot be written.
    """
    n_blocks = max(1, -(-n_train // BLOCK))
    with cache.locked(_NAME) as home:
        home.mkdir(exist_ok=True)
        test = _block(home, "test", strokes.TEST_START, HELD_OUT)
        val = _block(home, "val", strokes.VALIDATION_START, HELD_OUT)
        train = list(_train_blocks(home, n_blocks))
    return Dataset(
        info=INFO,
        x_train=Blocks([x for x, _ in train]),
        y_train=Blocks([y for _, y in train]),
        x_test=test[0],
        y_test=test[1],
        x_val=val[0],
        y_val=val[1],
    )


def verify() -> str:
    """Draw the first images anew, compare them with the cache, return the sha256 of the test set.

    Raises InputError if they differ.
    """
    data = load(1)
    for name, x, start in (
        ("training", data.x_train, strokes.TRAIN_START),
        ("test", data.x_test, strokes.TEST_START),
    ):
        if not np.array_equal(x[np.arange(256)], strokes.render(start, 256)[0]):
            raise InputError(
                f"the {name} images in {cache.cache_dir() / 'datasets' / _NAME} are not what the"
                " generator draws: delete that folder and they are drawn again"
            )
    return checksum([np.asarray(data.x_test), np.asarray(data.y_test)])


def _train_blocks(home: Path, count: int) -> Iterator[tuple[Array, Array]]:
    missing = sum(not _paths(home, f"train{number}")[1].exists() for number in range(count))
    with Progress("drawing digits", missing * BLOCK) as bar:
        for number in range(count):
            is_new = not _paths(home, f"train{number}")[1].exists()
            yield _block(home, f"train{number}", strokes.TRAIN_START + number * BLOCK, BLOCK)
            if is_new:
                bar.advance(BLOCK)


def _block(home: Path, name: str, start: int, count: int) -> tuple[Array, Array]:
    """Return images and labels of one range, memory-mapped; labels are written last."""
    paths = _paths(home, name)
    if not paths[1].exists():
        for path, array in zip(paths, strokes.render(start, count), strict=True):
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, array)
            part.replace(path)
    return cache.open_array(paths[0]), cache.open_array(paths[1])


def _paths(home: Path, name: str) -> tuple[Path, Path]:
    return home / f"{name}-x.npy", home / f"{name}-y.npy"
