"""H2: 5x5 kernels over two of H1's three groups; a vector is L of the S planes that they see.

Group g of H2 sees the S planes of H1 that begin at plane g G: the first group is repeated behind
the last (layout.py). A wrong route between groups would still train, and well; only the comparison
with autograd tells.

Shapes as in layout.py: A planes of H1 with the repetition, C planes, G of a group, S seen, L lanes.
"""

from scaling.architecture import KERNEL
from scaling.engines.compiled.lanewise import sum_lanes
from scaling.engines.compiled.layout import H1_SIDE, H2_SIDE, MAP_SIDE, TAPS

TILE = 4  # planes at once, a divisor of G: their sums fill half of the registers of AVX-512
TILE_UNITS, TILE_TAPS, H2_PIXELS = TILE * H2_SIDE, TILE * KERNEL, H2_SIDE**2


def make_h2(layout, ops, jit, activate, update):
    """forward(...) and backward(...) of the layer."""
    forward = make_forward(layout, ops, jit, activate)
    input_gradient = make_input_gradient(layout, ops, jit)
    C, S, L, U2 = layout.C, layout.S, ops.lanes, layout.U2
    A, G = layout.A, layout.G
    W, B = layout.offsets["h2_weight"], layout.offsets["h2_bias"]
    load, broadcast, tile = ops.load, ops.broadcast, ops.tile

    @jit
    def backward(params, state, h1, h1_slope, d2, d1, rates):
        """From the gradient d2 (C, 4, 4) of what H2 sums up to that of H1, d1 (8, 8, A).

        Tile: a row of taps of four planes.
        """
        input_gradient(params, d2, h1_slope, d1)
        for i in range(0, U2, L):
            update(params, state, B + i, load(d2, i), rates)
        for o in range(0, C, TILE):
            for v in range(0, S, L):
                for ky in range(KERNEL):
                    sums = tile(TILE_TAPS)
                    for row in range(H2_SIDE):
                        for column in range(H2_SIDE):
                            at = ((2 * row + ky) * MAP_SIDE + 2 * column) * A + o // G * G + v
                            for k in range(TILE):
                                d = broadcast(d2, ((o + k) * H2_SIDE + row) * H2_SIDE + column)
                                for kx in range(KERNEL):
                                    j = k * KERNEL + kx
                                    sums[j] = sums[j] + d * load(h1, at + kx * A)
                    for k in range(TILE):
                        for kx in range(KERNEL):
                            tap = (o + k) * TAPS + ky * KERNEL + kx
                            update(params, state, W + tap * S + v, sums[k * KERNEL + kx], rates)

    return forward, backward


def make_forward(layout, ops, jit, activate):
    """forward(params, h1, z, h2, slope)."""
    A, C, G, S, L, U2 = layout.A, layout.C, layout.G, layout.S, ops.lanes, layout.U2
    W, B = layout.offsets["h2_weight"], layout.offsets["h2_bias"]
    load, store, tile = ops.load, ops.store, ops.tile

    @jit
    def forward(params, h1, z, h2, slope):
        """From h1 (12, 12, A) to h2 and its slope (C, 4, 4). Tile: a row of four planes' pixels."""
        for o in range(0, C, TILE):
            for row in range(H2_SIDE):
                sums = tile(TILE_UNITS)
                for ky in range(KERNEL):
                    for kx in range(KERNEL):
                        for v in range(0, S, L):
                            at = ((2 * row + ky) * MAP_SIDE + kx) * A + o // G * G + v
                            for k in range(TILE):
                                tap = (o + k) * TAPS + ky * KERNEL + kx
                                weight = load(params, W + tap * S + v)
                                for column in range(H2_SIDE):
                                    j = k * H2_SIDE + column
                                    sums[j] = sums[j] + weight * load(h1, at + 2 * column * A)
                for k in range(TILE):
                    for column in range(H2_SIDE):
                        unit = ((o + k) * H2_SIDE + row) * H2_SIDE + column
                        z[unit] = sum_lanes(sums[k * H2_SIDE + column])
        for i in range(0, U2, L):
            value, rise = activate(load(z, i) + load(params, B + i))
            store(h2, i, value)
            store(slope, i, rise)

    return forward


def make_input_gradient(layout, ops, jit):
    """input_gradient(params, d2, h1_slope, d1): before any weight is moved."""
    A, C, G, S, L = layout.A, layout.C, layout.G, layout.S, ops.lanes
    W = layout.offsets["h2_weight"]
    load, store, broadcast, splat, tile = (
        ops.load, ops.store, ops.broadcast, ops.splat, ops.tile
    )  # fmt: skip

    def at_parity(py, px):
        """The pixels (2Y + py, 2X + px) of H1, which the same taps reach, 4 x 4 in a tile."""

        @jit
        def add(params, d2, d1, g, v):
            """Adds what group g of H2 sends to the planes of H1 that it sees at v."""
            sums = tile(H2_PIXELS)
            for o in range(g * G, (g + 1) * G):
                for ky in range(py, KERNEL, 2):
                    for kx in range(px, KERNEL, 2):
                        weight = load(params, W + (o * TAPS + ky * KERNEL + kx) * S + v)
                        for Y in range(H2_SIDE):
                            for X in range(H2_SIDE):
                                # Tap ky of the unit in row y reads row 2y + ky - 2 of H1.
                                y, x = Y + 1 - ky // 2, X + 1 - kx // 2
                                if 0 <= y < H2_SIDE and 0 <= x < H2_SIDE:
                                    d = broadcast(d2, (o * H2_SIDE + y) * H2_SIDE + x)
                                    j = Y * H2_SIDE + X
                                    sums[j] = sums[j] + weight * d
            for Y in range(H2_SIDE):
                for X in range(H2_SIDE):
                    at = ((2 * Y + py) * H1_SIDE + 2 * X + px) * A + g * G + v
                    store(d1, at, load(d1, at) + sums[Y * H2_SIDE + X])

        return add

    even_even, even_odd = at_parity(0, 0), at_parity(0, 1)
    odd_even, odd_odd = at_parity(1, 0), at_parity(1, 1)

    @jit
    def input_gradient(params, d2, h1_slope, d1):
        for i in range(0, H1_SIDE**2 * A, L):
            store(d1, i, splat(0.0))
        for g in range(3):
            for v in range(0, S, L):
                even_even(params, d2, d1, g, v)
                even_odd(params, d2, d1, g, v)
                odd_even(params, d2, d1, g, v)
                odd_odd(params, d2, d1, g, v)
        for pixel in range(H1_SIDE**2):
            at = pixel * A
            for plane in range(G):  # what reached the repetition belongs to the first group
                d1[at + plane] += d1[at + C + plane]
                d1[at + C + plane] = 0.0
            for plane in range(0, A, L):
                store(d1, at + plane, load(d1, at + plane) * load(h1_slope, at + plane))

    return input_gradient
