"""Augmentation of an epoch's images: mixup and elastic distortion; engines shift them afterwards.

Like all draws, these are pure functions of each presentation's key, so all engines agree on them.

Shapes: N presentations; images (N, 16, 16), float32 in [-1, 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling.data.counter_rng import GOLDEN, Keys, mix
from scaling.data.selection import Examples, Images, Labels
from scaling.models.architecture import BACKGROUND
from scaling.recipes.recipe import Recipe

# Arbitrary constants that separate these draws from those of shifts and dropout.
PARTNER_STREAM, SHARE_STREAM, FIELD_STREAM = map(np.uint32, (0x1B873593, 0x5BD1E995, 0xE6546B64))

# Simard et al. 2003 smooth the displacements over 4 pixels of a 29 x 29 image.
SMOOTHING = 4 * 16 / 29
CHUNK = 512  # images distorted at once; assumed, so that the displacements stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentations:
    """Images with their labels; for mixed images also the second label and the first's share."""

    x: Images
    y: Labels
    other: Labels
    share: NDArray[np.float32]


def present(examples: Examples, recipe: Recipe, keys_N: Keys) -> Presentations:
    """Return the presentations of one epoch in the examples' order, before shifts."""
    x, y = examples.x, examples.y
    other, share_N = y, np.ones(len(y), np.float32)
    if recipe.mixup:
        partner_N, share_N = mixup_partners(keys_N, len(y), recipe.mixup)
        other, share = y[partner_N], share_N[:, None, None]
        x = share * x + (1 - share) * x[partner_N]
    if recipe.elastic:
        x = np.concatenate(
            [
                distort(x[at : at + CHUNK], keys_N[at : at + CHUNK], recipe.elastic)
                for at in range(0, len(x), CHUNK)
            ]
        )
    return Presentations(x=np.ascontiguousarray(x), y=y, other=other, share=share_N)


def mixup_partners(
    keys_N: Keys, n: int, alpha: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each example's partner among n, and the example's own share, beta(alpha, alpha).

    Source: Zhang et al. 2017 (arXiv 1710.09412).
    """
    from scipy.special import betaincinv  # here, so that training without mixup needs no scipy

    partner_N = (mix(keys_N ^ PARTNER_STREAM) % np.uint32(n)).astype(np.int64)
    uniform_N = (mix(keys_N ^ SHARE_STREAM) + 0.5) / 2**32
    return partner_N, betaincinv(alpha, alpha, uniform_N).astype(np.float32)


def distort(x_NHW: Images, keys_N: Keys, pixels: float) -> Images:
    """Return images distorted elastically: each pixel is displaced by a smooth random field.

    The field's root mean square is `pixels` in each direction; values between pixels are linear.
    Source: Simard et al. 2003, "Best practices for convolutional neural networks", section 2.
    """
    n, side, _ = x_NHW.shape
    offsets = np.arange(2 * side**2, dtype=np.uint32) * GOLDEN
    noise = mix((keys_N ^ FIELD_STREAM)[:, None] + offsets).astype(np.float32)
    noise = noise.reshape(n, 2, side, side) / np.float32(2**31) - np.float32(1)
    smooth_HH = _smoothing(side)
    field = smooth_HH @ noise @ smooth_HH.T * np.float32(pixels)
    # One pixel of background around the image stands for everything beyond the edge.
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
    """Return a Gaussian filter of rows (or columns) that gives noise in [-1, 1] an rms of 1."""
    at = np.arange(side)
    kernel = np.exp(-((at[:, None] - at) ** 2) / (2 * SMOOTHING**2))
    kernel /= np.sqrt((kernel**2).sum(axis=1, keepdims=True))
    return (kernel * 3**0.25).astype(np.float32)  # the noise has variance 1/3; it is applied twice
