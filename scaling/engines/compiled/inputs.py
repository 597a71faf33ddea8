"""The inputs of a step: the shifted image and the dropout mask, drawn as in counter_rng.py."""

import numpy as np

from scaling.data.counter_rng import GOLDEN
from scaling.engines.compiled.layout import INPUT_SIDE
from scaling.models.architecture import BACKGROUND, IMAGE_SIDE, PADDING


def make_place_image(jit):
    """Return place_image(x, image, rows, columns, wrap): put the shifted image into x (20, 20)."""
    background = np.float32(BACKGROUND)
    edge = IMAGE_SIDE - 1  # the side is a power of two, so a mask wraps, below 0 too

    @jit
    def place_image(x, image, rows, columns, wrap):
        """Fill the uncovered edge by wrapping around, or by background if `wrap` is false."""
        for row in range(IMAGE_SIDE):
            for column in range(IMAGE_SIDE):
                r, c = row - rows, column - columns
                inside = wrap or (r == r & edge and c == c & edge)
                pixel = image[r & edge, c & edge] if inside else background
                x[(row + PADDING) * INPUT_SIDE + column + PADDING] = pixel

    return place_image


def make_mix(jit):
    """Return `mix` of scaling/data/counter_rng.py for one word; numba widens sums to 64 bits."""

    @jit
    def mix(h):
        h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
        h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
        return np.uint32(h ^ (h >> np.uint32(16)))

    return mix


def make_drop(n_units, ops, jit):
    """Return drop(h, slope, keep, key, threshold, scale): dropout of values and slopes (U,)."""
    mix = make_mix(jit)
    load, store, L = ops.load, ops.store, ops.lanes

    @jit
    def drop(h, slope, keep, key, threshold, scale):
        for unit in range(n_units):
            drawn = mix(np.uint32(key + np.uint32(np.uint32(unit) * GOLDEN)))
            keep[unit] = scale if drawn >= threshold else np.float32(0)
        for i in range(0, n_units, L):
            kept = load(keep, i)
            store(h, i, load(h, i) * kept)
            store(slope, i, load(slope, i) * kept)

    return drop
