"""Each member's presentations in an epoch, some at a time: images mixed, distorted and shifted.

They equal those of scaling/data/augment.py, which are for one model, as the draws are the same.

Shapes: K members; N presentations of an epoch; C of them prepared at once; U units.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the usual name
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.augment import distort, mixup_partners
from scaling.data.counter_rng import presentation_keys, shifts
from scaling.engines.population.draws import keep_factors, shift_images
from scaling.engines.population.images import Images
from scaling.models.architecture import N_CLASSES
from scaling.recipes.recipe import Recipe


class Batch(NamedTuple):
    """Images (K, C, 16, 16), their targets as probabilities, and their dropout factors."""

    x_KCHW: Tensor
    target_KC10: Tensor
    keep_KCU: Tensor | None

    def subset(self, at: slice) -> "Batch":
        """Return some presentations, copied, as a recorded step expects contiguous memory."""
        keep = self.keep_KCU
        return Batch(
            self.x_KCHW[:, at].contiguous(),
            self.target_KC10[:, at].contiguous(),
            None if keep is None else keep[:, at].contiguous(),
        )


@dataclass(frozen=True, slots=True)
class EpochBatches:
    """The presentations of one epoch, of each member's own images."""

    recipe: Recipe
    images: Images
    units: int  # that dropout may drop
    keys_KN: NDArray[np.uint32]

    @classmethod
    def of(
        cls, recipe: Recipe, images: Images, units: int, seeds: list[int], epoch: int
    ) -> "EpochBatches":
        """Return the epoch (counted from 1) of members with these seeds."""
        n = len(images)
        keys_KN = np.stack([presentation_keys(seed, (epoch - 1) * n, n) for seed in seeds])
        return cls(recipe, images, units, keys_KN)

    def prepare(self, at: slice) -> Batch:
        """Return the presentations at these places in the order."""
        recipe, keys_KC = self.recipe, np.ascontiguousarray(self.keys_KN[:, at])
        x_KCHW, y_KC = self.images.batch(at)
        device = x_KCHW.device
        target_KC10 = F.one_hot(y_KC, N_CLASSES).float()
        if recipe.mixup:
            partners, shares = mixup_partners(keys_KC.ravel(), len(self.images), recipe.mixup)
            partner_KC = torch.from_numpy(partners.reshape(keys_KC.shape)).to(device)
            share_KC = torch.from_numpy(shares.reshape(keys_KC.shape)).to(device)
            other_KCHW, other_KC = self.images.at(partner_KC)
            share = share_KC[..., None, None]
            x_KCHW = share * x_KCHW + (1 - share) * other_KCHW
            share = share_KC[..., None]
            target_KC10 = share * target_KC10 + (1 - share) * F.one_hot(other_KC, N_CLASSES)
        if recipe.elastic:  # on the host, by the same code as for other engines
            flat_NHW = x_KCHW.flatten(0, 1).cpu().numpy()
            moved_NHW = distort(flat_NHW, keys_KC.ravel(), recipe.elastic)
            x_KCHW = torch.from_numpy(moved_NHW).to(device).view_as(x_KCHW)
        if recipe.shift:
            rows, columns = (
                torch.from_numpy(moved).to(device) for moved in shifts(keys_KC, recipe.shift)
            )
            x_KCHW = shift_images(x_KCHW, rows, columns, recipe.shift_fill)
        smoothing = recipe.label_smoothing
        target_KC10 = target_KC10 * (1 - smoothing) + smoothing / N_CLASSES
        keep_KCU = None
        if recipe.dropout:
            keys = torch.from_numpy(keys_KC.view(np.int32)).to(device)
            keep_KCU = keep_factors(keys, self.units, recipe.dropout)
        return Batch(x_KCHW, target_KC10, keep_KCU)
