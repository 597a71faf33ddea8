"""The data set `strokes` on disk: digits drawn once per node, block by block, cached as uint8."""

import os
from pathlib import Path

import numpy as np
from filelock import FileLock

from scaling import strokes
from scaling.data import Array, Dataset, DatasetInfo, checksum
from scaling.errors import InputError
from scaling.progress import Progress

BLOCK = 131_072  # images a file, 34 MB; the blocks within which a seed's order is drawn
HELD_OUT = 10_000
INFO = DatasetInfo(
    name="strokes",
    version=str(strokes.VERSION),
    n_train=2**26,  # as many as fit: 17 GB of cache
    n_test=HELD_OUT,
    n_val=HELD_OUT,
    val_in_train=False,
    block=BLOCK,
    note="digits drawn by our own generator",
)


class Blocks:
    """Several arrays indexed as if they were one, whether or not they fit into memory."""

    def __init__(self, parts: list[Array]) -> None:
        self.parts = parts
        self.shape = (sum(len(part) for part in parts), *parts[0].shape[1:])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, indices: Array) -> Array:
        taken = np.empty((len(indices), *self.shape[1:]), self.parts[0].dtype)
        for number, part in enumerate(self.parts):
            here = indices // BLOCK == number
            taken[here] = part[indices[here] - number * BLOCK]
        return taken


def load(folder: Path, n_train: int) -> Dataset:
    """The data set with at least `n_train` training images, drawing what is not there yet."""
    home = folder / f"strokes-v{strokes.VERSION}"
    n_blocks = max(1, -(-n_train // BLOCK))
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            held_out = [
                _block(home, part, start, HELD_OUT)
                for part, start in (
                    ("test", strokes.TEST_START),
                    ("val", strokes.VALIDATION_START),
                )
            ]
            train = _train_blocks(home, n_blocks)
    except PermissionError as error:
        raise InputError(
            f"the cache {folder} cannot be written ({error.strerror}):"
            " name a folder of yours in SCALING_CACHE_DIR"
        ) from error
    (x_test, y_test), (x_val, y_val) = held_out
    return Dataset(
        info=INFO,
        x_train=Blocks([x for x, _ in train]),  # type: ignore[arg-type]
        y_train=Blocks([y for _, y in train]),  # type: ignore[arg-type]
        x_test=x_test,
        y_test=y_test,
        x_val=x_val,
        y_val=y_val,
    )


def verify(folder: Path) -> str:
    """Draw the first images anew and compare them with the cache; the sha256 of the test images.

    Raises InputError if they differ.
    """
    data = load(folder, 1)
    for name, x, start in (
        ("training", data.x_train, strokes.TRAIN_START),
        ("test", data.x_test, strokes.TEST_START),
    ):
        if not np.array_equal(x[np.arange(256)], strokes.render(start, 256)[0]):
            raise InputError(
                f"the {name} images in {folder / f'strokes-v{strokes.VERSION}'} are not what the"
                " generator draws: delete that folder and they are drawn again"
            )
    return checksum([np.asarray(data.x_test)])


def _train_blocks(home: Path, count: int) -> list[tuple[Array, Array]]:
    missing = sum(not (home / f"train{number}-y.npy").exists() for number in range(count))
    with Progress("drawing digits", missing * BLOCK) as bar:
        blocks = []
        for number in range(count):
            new = not (home / f"train{number}-y.npy").exists()
            blocks.append(
                _block(home, f"train{number}", strokes.TRAIN_START + number * BLOCK, BLOCK)
            )
            if new:
                bar.advance(BLOCK)
    return blocks


def _block(home: Path, name: str, start: int, count: int) -> tuple[Array, Array]:
    """Images and labels of one range, memory-mapped; the labels are written last."""
    paths = [home / f"{name}-{part}.npy" for part in "xy"]
    if not paths[1].exists():
        for path, array in zip(paths, strokes.render(start, count), strict=True):
            part = path.with_suffix(f".part{os.getpid()}")
            with part.open("wb") as file:
                np.save(file, array)
            part.replace(path)
    x, y = (np.load(path, mmap_mode="r") for path in paths)
    return x, y
