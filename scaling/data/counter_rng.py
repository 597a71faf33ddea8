"""A counter-based random generator: each draw is a pure function of (seed, presentation, position).

With a stateful generator a result would depend on the models that draw beside it and on their
order. Here the t-th presentation to the model of a seed owns a 32-bit key, and shifts and dropout
masks are hashes of that key, so every engine, in any batch, draws the same ones.

Shapes: B presentations, U units.
"""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint32]

GOLDEN = np.uint32(0x9E3779B9)  # 2**32 / golden ratio: spreads neighbouring positions
SHIFT_STREAM = np.uint32(0xA5A5A5A5)  # arbitrary; separates shifts from dropout


def mix(h_B: Keys) -> Keys:
    """Hash 32-bit words so that each input bit flips each output bit with probability near 1/2.

    Source: "lowbias32", C. Wellons, hash-prospector, 2018.
    """
    h_B = (h_B ^ (h_B >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h_B = (h_B ^ (h_B >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h_B ^ (h_B >> np.uint32(16))


def presentation_keys(seed: int, first: int, count: int) -> Keys:
    """Return keys of the presentations first .. first+count-1 of one model, shape (count,).

    Raises OverflowError beyond 2**32 presentations, where the counter would repeat.
    """
    if first + count > 2**32:
        raise OverflowError(f"{first + count} presentations; the counter holds 2**32")
    seed_1 = mix(mix(np.array([seed & 0xFFFFFFFF], np.uint32)) + np.uint32(seed >> 32) + GOLDEN)
    return mix(mix(np.arange(first, first + count, dtype=np.uint32)) ^ seed_1)


def shifts(keys_B: Keys, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns to shift each image by, uniform in -most .. most; shapes (B,)."""
    side = np.uint32(2 * most + 1)
    h_B = mix(keys_B ^ SHIFT_STREAM)
    return (h_B % side).astype(np.int64) - most, (h_B // side % side).astype(np.int64) - most


def keep_mask(keys_B: Keys, n_units: int, rate: float) -> NDArray[np.bool_]:
    """Return a mask of the units that survive dropout at this rate, shape (B, n_units)."""
    offsets_U = np.arange(n_units, dtype=np.uint32) * GOLDEN
    kept: NDArray[np.bool_] = mix(keys_B[:, None] + offsets_U) >= np.uint32(rate * 2**32)
    return kept
