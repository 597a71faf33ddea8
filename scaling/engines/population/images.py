"""Each member's images, as indices into one copy of all images that any member needs.

Members draw their own subsets of the same images, so copies for each would mostly repeat. For 1,000
members at 7,291 images the copies would take 7 GB; the indices take 60 MB.

Shapes: K members; N images of each; M images in the pool; B of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.selection import (
    Dataset,
    Examples,
    Indexed,
    Labels,
    take,
    test_order,
    training_order,
    validation_order,
)
from scaling.study import Cell, Member

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Images:
    """Each member's images in its own order, on the device."""

    x_MHW: Tensor
    y_M: Tensor
    index_KN: Tensor

    def __len__(self) -> int:
        """Return the number of images of one member."""
        return self.index_KN.shape[1]

    def first(self, n: int) -> "Images":
        return replace(self, index_KN=self.index_KN[:, :n])

    def subset(self, live_K: Tensor) -> "Images":
        """Return the images of the members where `live_K` is true."""
        return replace(self, index_KN=self.index_KN[live_K])

    def batch(self, at: slice) -> tuple[Tensor, Tensor]:
        """Return images (K, B, 16, 16) and labels (K, B) at some places in the order."""
        index_KB = self.index_KN[:, at]
        return self.x_MHW[index_KB], self.y_M[index_KB]

    def at(self, places_KB: Tensor) -> tuple[Tensor, Tensor]:
        """Return images and labels at places of each member's own, shape (K, B)."""
        index_KB = self.index_KN.gather(1, places_KB)
        return self.x_MHW[index_KB], self.y_M[index_KB]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selections:
    """`scaling.data.selection.Selection` for K members at once."""

    train: Images
    val: Images | None
    test: Images

    def subset(self, live_K: Tensor) -> "Selections":
        """Return the images of the members where `live_K` is true."""
        return Selections(
            train=self.train.subset(live_K),
            val=self.val.subset(live_K) if self.val else None,
            test=self.test.subset(live_K),
        )


def select_all(cell: Cell, members: Sequence[Member], data: Dataset, device: str) -> Selections:
    """Return each member's images: those that `scaling.data.selection.select` returns for it."""
    info, k = data.info, len(members)
    info.check(cell.n_train, cell.n_test, cell.split)
    orders = [training_order(info, cell.n_train, member.seed) for member in members]
    test = _shared(data.x_test, data.y_test, test_order(info, cell.n_test), k, device)
    if cell.split == "none":
        (train,) = _pooled(data, [orders], device)
        return Selections(train=train, val=None, test=test)
    if info.val_in_train:
        held_out = [validation_order(info, member.seed) for member in members]
        train, val = _pooled(data, [orders, held_out], device)
        return Selections(train=train, val=val, test=test)
    assert data.x_val is not None
    assert data.y_val is not None
    (train,) = _pooled(data, [orders], device)
    val = _shared(data.x_val, data.y_val, np.arange(info.n_val), k, device)
    return Selections(train=train, val=val, test=test)


def _pooled(data: Dataset, sets: list[list[Indices]], device: str) -> list[Images]:
    """Return several sets of every member's training images, as indices into one pool."""
    stacked = [np.stack(orders) for orders in sets]
    needed_M = np.unique(np.concatenate([index_KN.ravel() for index_KN in stacked]))
    x_MHW, y_M = _tensors(take(data.x_train, data.y_train, needed_M), device)
    return [
        Images(x_MHW, y_M, torch.from_numpy(np.searchsorted(needed_M, index_KN)).to(device))
        for index_KN in stacked
    ]


def _shared(x: Indexed, y: Labels, order: Indices, k: int, device: str) -> Images:
    """Return the same images for all K members."""
    x_MHW, y_M = _tensors(take(x, y, order), device)
    return Images(x_MHW, y_M, torch.arange(len(order), device=device).expand(k, -1))


def _tensors(examples: Examples, device: str) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(examples.x).to(device), torch.from_numpy(examples.y).long().to(device)
