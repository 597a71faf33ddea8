"""Which images a model sees: training subset, validation set, test set and shifts. Pure functions.

Shapes: N images; images are (N, 16, 16), float32 in [-1, 1] or uint8 with 0 the background.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from scaling.errors import InputError
from scaling.models.architecture import BACKGROUND
from scaling.recipes.recipe import ShiftFill

Split = Literal["none", "tune"]
Images = NDArray[np.float32]
Labels = NDArray[np.uint8]
Array = NDArray[Any]


class Indexed(Protocol):
    """An array, or several files of one, that arrays of indices can index."""

    def __len__(self) -> int: ...
    def __getitem__(self, indices: Array, /) -> Array: ...


WARNING = "; warning: "  # separates the warnings about a data set in its note

# Tags separate the random streams of one seed; their values only have to differ.
SUBSET_TAG, TEST_TAG = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """A data set's sizes and name, without its images: all that planning needs."""

    name: str
    version: str  # of its preparation, or its checksum: part of the identity of every result
    n_train: int  # available training images
    n_test: int
    n_val: int  # set aside by the split `tune`
    val_in_train: bool = True  # whether validation images are taken from the training images
    block: int = 0  # images are permuted within blocks of this many; 0: all at once
    note: str = ""  # for users: its origin
    warnings: tuple[str, ...] = ()  # for users: its oddities

    @property
    def full_note(self) -> str:
        """Return the note with the warnings."""
        return WARNING.join([self.note, *self.warnings])

    def check(self, n_train: int, n_test: int, split: Split) -> None:
        """Raise InputError for more images than the data set has."""
        if split == "tune" and not self.n_val:
            raise InputError(
                f"split 'tune' on {self.name}: none of its {self.n_train:,} training images are for"
                " validation; expected a data set of which a fifth can be set aside"
            )
        aside = self.n_val if split == "tune" and self.val_in_train else 0
        most = self.n_train - aside
        if not 0 < n_train <= most:
            kept = f" ({aside:,} more are the validation set of split 'tune')" if aside else ""
            raise InputError(
                f"n_train {n_train:,} on {self.name}: expected 1 to {most:,} training images{kept}"
            )
        if not 0 < n_test <= self.n_test:
            raise InputError(
                f"n_test {n_test:,} on {self.name}: expected 1 to {self.n_test:,}, or 'all'"
            )

    def test_set_id(self, n_test: int) -> str:
        """Return a name of the test images: the same name, the same images in the same order."""
        return f"{self.name}@{self.version[:12]}-test{n_test}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Prepared images, memory-mapped where they come from files; uint8 or float32."""

    info: DatasetInfo
    x_train: Indexed
    y_train: Indexed
    x_test: Array
    y_test: Labels
    x_val: Array | None = None  # only where validation images are not training images
    y_val: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Images (N, 16, 16) as float32 in [-1, 1] and their labels (N,)."""

    x: Images
    y: Labels

    def __len__(self) -> int:
        return len(self.y)

    def first(self, n: int) -> "Examples":
        return Examples(x=self.x[:n], y=self.y[:n])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The images of one model; `val` is None without a split."""

    train: Examples
    val: Examples | None
    test: Examples


def training_order(info: DatasetInfo, n: int, seed: int) -> NDArray[np.int64]:
    """Return indices of the first n training images of a seed, a prefix of any longer order.

    Images are permuted block by block, so that a huge data set needs no huge permutation.
    """
    block = info.block or info.n_train
    parts = [
        start + np.random.default_rng([SUBSET_TAG, seed, start // block]).permutation(block)
        for start in range(0, n, block)
    ]
    return np.concatenate(parts)[:n]


def validation_order(info: DatasetInfo, seed: int) -> NDArray[np.int64]:
    """Return indices of the images that `tune` sets aside: the last of the seed's permutation."""
    return training_order(info, info.n_train, seed)[info.n_train - info.n_val :]


def test_order(info: DatasetInfo, n_test: int) -> NDArray[np.int64]:
    """Return indices of the test images: all in file order, or one fixed random subset."""
    if n_test == info.n_test:
        return np.arange(n_test)
    return np.random.default_rng([TEST_TAG, info.n_test]).permutation(info.n_test)[:n_test]


def select(data: Dataset, *, n_train: int, n_test: int, split: Split, seed: int) -> Selection:
    """Return the images of one model: a subset drawn for its seed, and the common test set."""
    info = data.info
    info.check(n_train, n_test, split)
    test = test_order(info, n_test)
    val = None
    if split == "tune" and info.val_in_train:
        val = take(data.x_train, data.y_train, validation_order(info, seed))
    elif split == "tune":
        assert data.x_val is not None
        assert data.y_val is not None
        val = take(data.x_val, data.y_val, np.arange(info.n_val))
    return Selection(
        train=take(data.x_train, data.y_train, training_order(info, n_train, seed)),
        val=val,
        test=take(data.x_test, data.y_test, test),
    )


def take(x: Indexed, y: Indexed, indices: NDArray[np.int64]) -> Examples:
    """Return a copy in memory, so that training never waits for a memory-mapped file."""
    return Examples(x=np.ascontiguousarray(to_unit_range(x[indices])), y=np.array(y[indices]))


def to_unit_range(x: Array) -> Images:
    """Return uint8 greys 0 .. 255 as float32 -1 .. 1; float32 is returned unchanged."""
    if x.dtype == np.uint8:
        return cast(Images, x / np.float32(127.5) - np.float32(1))
    return cast(Images, x)


def shift_images(
    x_BHW: Images,
    rows_B: NDArray[np.int64],
    columns_B: NDArray[np.int64],
    fill: ShiftFill = "wrap",
) -> Images:
    """Return each image shifted down and right; `fill` wraps it around or brings in background.

    Source: torch.roll in lecun1989-repro, modern.py: the published augmentation wraps around.
    """
    n, height, width = x_BHW.shape
    rows = (np.arange(height) - rows_B[:, None])[:, :, None]
    columns = (np.arange(width) - columns_B[:, None])[:, None, :]
    moved: Images = x_BHW[np.arange(n)[:, None, None], rows % height, columns % width]
    if fill == "background":
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        moved[~inside] = BACKGROUND
    return moved
