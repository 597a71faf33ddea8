"""What an epoch shows instead of the training images themselves: mixed, distorted. Shifts follow.

Like all draws, these are pure functions of each presentation's key, so every engine shows the same.

Shapes: N presentations; images (N, 16, 16), float32 in [-1, 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling.data.counter_rng import GOLDEN, Keys, mix
from scaling.data.selection import Examples, Images, Labels
from scaling.models.architecture import BACKGROUND
from scaling.recipes.recipe import Recipe

# Any constants will do: they part these draws from the shifts and the dropout.
PARTNER_STREAM, SHARE_STREAM, FIELD_STREAM = map(np.uint32, (0x1B873593, 0x5BD1E995, 0xE6546B64))

# Simard et al. 2003 smooth the displacements over 4 pixels of a 29 x 29 image.
SMOOTHING = 4 * 16 / 29
CHUNK = 512  # images distorted at once: assumed, so that the fields stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """Images with their labels, and where they are mixed the other label and the first's share."""

    x: Images
    y: Labels
    other: Labels
    share: NDArray[np.float32]


def present(examples: Examples, recipe: Recipe, keys_N: Keys) -> Presented:
    """The presentations of one epoch, in the examples' order, before they are shifted."""
    x, y = examples.x, examples.y
    other, share_N = y, np.ones(len(y), np.float32)
    if recipe.mixup:
        partner_N, share_N = mixing(keys_N, len(y), recipe.mixup)
        other, share = y[partner_N], share_N[:, None, None]
        x = share * x + (1 - share) * x[partner_N]
    if recipe.elastic:
        x = np.concatenate(
            [
                distorted(x[at : at + CHUNK], keys_N[at : at + CHUNK], recipe.elastic)
                for at in range(0, len(x), CHUNK)
            ]
        )
    return Presented(x=np.ascontiguousarray(x), y=y, other=other, share=share_N)


def mixing(keys_N: Keys, n: int, alpha: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which of n examples each is mixed with, and the share of its own, beta(alpha, alpha).

    Source: Zhang et al. 2017 (arXiv 1710.09412).
    """
    from scipy.special import betaincinv  # here, so that training without mixup needs no scipy

    partner_N = (mix(keys_N ^ PARTNER_STREAM) % np.uint32(n)).astype(np.int64)
    uniform_N = (mix(keys_N ^ SHARE_STREAM) + 0.5) / 2**32
    return partner_N, betaincinv(alpha, alpha, uniform_N).astype(np.float32)


def distorted(x_NHW: Images, keys_N: Keys, pixels: float) -> Images:
    """Elastic distortion: each pixel comes from elsewhere, by smooth random displacements.

    Their root mean square is `pixels`, in each direction; between pixels it interpolates linearly.
    Source: Simard et al. 2003, "Best practices for convolutional neural networks", section 2.
    """
    n, side, _ = x_NHW.shape
    offsets = np.arange(2 * side**2, dtype=np.uint32) * GOLDEN
    noise = mix((keys_N ^ FIELD_STREAM)[:, None] + offsets).astype(np.float32)
    noise = noise.reshape(n, 2, side, side) / np.float32(2**31) - np.float32(1)
    smooth_HH = _smoothing(side)
    field = smooth_HH @ noise @ smooth_HH.T * np.float32(pixels)
    # A border of background, of one pixel, stands for all that lies beyond the edge.
    padded = np.pad(x_NHW, ((0, 0), (1, 1), (1, 1)), constant_values=BACKGROUND)
    at = np.arange(side, dtype=np.float32) + 1
    rows = np.clip(at[:, None] + field[:, 0], 0, side + 1)
    columns = np.clip(at + field[:, 1], 0, side + 1)
    top = np.minimum(rows.astype(np.int32), side)
    left = np.minimum(columns.astype(np.int32), side)
    down, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    image = np.arange(n)[:, None, None]
    upper = padded[image, top, left] * (1 - right) + padded[image, top, left + 1] * right
    lower = padded[image, top + 1, left] * (1 - right) + padded[image, top + 1, left + 1] * right
    moved: Images = upper * (1 - down) + lower * down
    return moved


def _smoothing(side: int) -> NDArray[np.float32]:
    """A Gaussian over rows (or columns), so scaled that noise from -1 to 1 comes out with rms 1."""
    at = np.arange(side)
    kernel = np.exp(-((at[:, None] - at) ** 2) / (2 * SMOOTHING**2))
    kernel /= np.sqrt((kernel**2).sum(axis=1, keepdims=True))
    return (kernel * 3**0.25).astype(np.float32)  # the variance of that noise is 1/3, over two
