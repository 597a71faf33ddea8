"""The draws of counter_rng and `shift_images` of selection.py, on the device.

An epoch's dropout masks are far larger than its keys, so they are drawn on the device. PyTorch has
no arithmetic on uint32; int32 wraps alike, and only shifts and comparisons need care.

Shapes: K members, C presentations, U units.
"""

import numpy as np
import torch
from torch import Tensor

from scaling.data.counter_rng import GOLDEN
from scaling.models.architecture import BACKGROUND
from scaling.recipes.recipe import ShiftFill

SIGN = -(2**31)


def mix(h: Tensor) -> Tensor:
    """Return `scaling.data.counter_rng.mix` of uint32 words held in int32."""
    h = (h ^ (h >> 16 & 0xFFFF)) * 0x7FEB352D  # masked: >> copies the sign
    h = (h ^ (h >> 15 & 0x1FFFF)) * (0x846CA68B - 2**32)
    return h ^ (h >> 16 & 0xFFFF)


def keep_factors(keys_KC: Tensor, n_units: int, rate: float) -> Tensor:
    """Return 0 for dropped units and 1 / (1 - rate) for the others, shape (K, C, U)."""
    offsets_U = torch.from_numpy((np.arange(n_units, dtype=np.uint32) * GOLDEN).view(np.int32))
    h_KCU = mix(keys_KC[..., None] + offsets_U.to(keys_KC.device))
    kept_KCU = (h_KCU ^ SIGN) >= int(rate * 2**32) + SIGN  # as if unsigned
    return kept_KCU.float() / (1 - rate)


def shift_images(x_KCHW: Tensor, rows_KC: Tensor, columns_KC: Tensor, fill: ShiftFill) -> Tensor:
    """Return shifted images, as `shift_images` of scaling/data/selection.py does."""
    height, width = x_KCHW.shape[-2:]
    rows = (torch.arange(height, device=x_KCHW.device) - rows_KC[..., None])[..., :, None]
    columns = (torch.arange(width, device=x_KCHW.device) - columns_KC[..., None])[..., None, :]
    pixels = rows % height * width + columns % width
    moved = x_KCHW.flatten(2).gather(2, pixels.flatten(2)).view_as(x_KCHW)
    if fill == "background":
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        moved.masked_fill_(~inside, BACKGROUND)
    return moved
