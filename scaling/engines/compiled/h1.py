"""H1: 5x5 kernels at every second pixel; a vector holds L neighbouring planes of one pixel.

Shapes as in layout.py: A planes with the repetition, C without, G of a group, L lanes.
"""

from scaling.engines.compiled.layout import H1_SIDE, INPUT_SIDE, MAP_SIDE
from scaling.models.architecture import KERNEL

# From a place in the upper half of the image to that in the lower: in pixels of H1, and of images.
BELOW = H1_SIDE * H1_SIDE // 2
PIXEL_BELOW = H1_SIDE * INPUT_SIDE


def make_h1(layout, ops, jit, activate, update, sums):
    """Return forward(params, x, h1, slope) and backward(params, state, x, d1, rates).

    `sums`: how many a tile holds.
    """
    A, C, G, L = layout.A, layout.C, layout.G, ops.lanes
    W, B = layout.offsets["h1_weight"], layout.offsets["h1_bias"]
    load, store, broadcast, tile = ops.load, ops.store, ops.broadcast, ops.tile
    pixels = min(sums, H1_SIDE)
    half = H1_SIDE // 2
    both_halves = sums >= 2 * KERNEL

    @jit
    def forward(params, x, h1, slope):
        """Fill the inner 8x8 of h1 (12, 12, A) and its slope (8, 8, A). Tile: pixels of a row."""
        for plane in range(0, C, L):
            for row in range(H1_SIDE):
                for first in range(0, H1_SIDE, pixels):
                    z = tile(pixels)
                    for j in range(pixels):
                        z[j] = load(params, B + (row * H1_SIDE + first + j) * A + plane)
                    for ky in range(KERNEL):
                        for kx in range(KERNEL):
                            weight = load(params, W + (ky * KERNEL + kx) * A + plane)
                            for j in range(pixels):
                                pixel = (2 * row + ky) * INPUT_SIDE + 2 * (first + j) + kx
                                z[j] = z[j] + weight * broadcast(x, pixel)
                    for j in range(pixels):
                        value, rise = activate(z[j])
                        column = first + j
                        store(h1, ((row + 2) * MAP_SIDE + column + 2) * A + plane, value)
                        store(slope, (row * H1_SIDE + column) * A + plane, rise)
        for row in range(2, H1_SIDE + 2):
            for column in range(2, H1_SIDE + 2):
                at = (row * MAP_SIDE + column) * A
                for plane in range(G):
                    h1[at + C + plane] = h1[at + plane]

    @jit
    def backward(params, state, x, d1, rates):
        """Update weights by the gradient d1 (8, 8, A) of H1's sums. Tile: a row of taps, twice.

        The upper and the lower half of the image have separate sums, as five sums alone would wait
        for each other; with few registers one half follows the other.
        """
        for i in range(0, H1_SIDE**2 * A, L):
            update(params, state, B + i, load(d1, i), rates)
        for plane in range(0, C, L):
            for ky in range(KERNEL):
                upper, lower = tile(KERNEL), tile(KERNEL)
                for row in range(half):
                    for column in range(H1_SIDE):
                        at = (row * H1_SIDE + column) * A + plane
                        above = load(d1, at)
                        pixel = (2 * row + ky) * INPUT_SIDE + 2 * column
                        for kx in range(KERNEL):
                            upper[kx] = upper[kx] + above * broadcast(x, pixel + kx)
                        if both_halves:
                            below = load(d1, at + BELOW * A)
                            for kx in range(KERNEL):
                                lower[kx] = lower[kx] + below * broadcast(
                                    x, pixel + PIXEL_BELOW + kx
                                )
                if not both_halves:
                    for row in range(half):
                        for column in range(H1_SIDE):
                            at = (row * H1_SIDE + column) * A + plane
                            below = load(d1, at + BELOW * A)
                            pixel = (2 * row + ky) * INPUT_SIDE + 2 * column + PIXEL_BELOW
                            for kx in range(KERNEL):
                                lower[kx] = lower[kx] + below * broadcast(x, pixel + kx)
                for kx in range(KERNEL):
                    at = W + (ky * KERNEL + kx) * A + plane
                    update(params, state, at, upper[kx] + lower[kx], rates)

    return forward, backward
