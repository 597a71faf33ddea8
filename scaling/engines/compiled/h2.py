"""H2: 5x5 kernels over two of H1's three groups; a vector holds V of the S planes that they see.

Group g of H2 sees the S planes of H1 that begin at plane g G: the first group is repeated behind
the last (layout.py). With wrong connections between groups the network would still train well; only
the comparison with autograd finds them.

At odd widths S is no multiple of 16. A vector then holds V = 8 of the planes seen for each of two
neighbouring planes of H2 (P = 2), and inputs are loaded into both halves. In this file a "plane" of
H2 is P of them.

Shapes as in layout.py: A planes of H1 with the repetition, C planes, G of a group, S seen.
"""

from functools import reduce

from scaling.engines.compiled.lanewise import sum_high, sum_lanes, sum_low
from scaling.engines.compiled.layout import H1_SIDE, H2_SIDE, LANES, MAP_SIDE, TAPS
from scaling.engines.compiled.vectors import vector_ops
from scaling.models.architecture import KERNEL

PIXELS = H2_SIDE**2


def make_h2(layout, ops, jit, activate, update, sums_at_once):
    """Return forward(...) and backward(...) of the layer; a tile holds `sums_at_once`."""
    A, C, G, S, P, V = layout.A, layout.C, layout.G, layout.S, layout.P, layout.V
    W, B, L = layout.offsets["h2_weight"], layout.offsets["h2_bias"], LANES
    load, store, tile = ops.load, ops.store, ops.tile
    load_seen = ops.load_repeated
    in_vectors, error = make_errors(layout, ops, jit)
    input_gradient = make_input_gradient(layout, ops, jit, error, sums_at_once)
    rows = P if sums_at_once > H2_SIDE else 1
    pixels = H2_SIDE * rows
    planes = sums_at_once // pixels  # in a tile; they lie in the same group, as 4 divides G
    tile_size, tile_taps = planes * pixels, planes * KERNEL

    @jit
    def forward(params, h1, z, h2, slope):
        """Fill h2 and slope (C, 4, 4) from h1 (12, 12, A). Tile: planes x rows of 4 pixels."""
        for o in range(0, C // P, planes):
            first = o * P // G * G
            for row in range(0, H2_SIDE, rows):
                sums = tile(tile_size)
                for ky in range(KERNEL):
                    for kx in range(KERNEL):
                        for v in range(0, S, V):
                            for k in range(planes):
                                tap = (o + k) * TAPS + ky * KERNEL + kx
                                weight = load(params, W + (tap * S + v) * P)
                                for pixel in range(pixels):
                                    y = 2 * (row + pixel // H2_SIDE) + ky
                                    x = 2 * (pixel % H2_SIDE) + kx
                                    seen = load_seen(h1, (y * MAP_SIDE + x) * A + first + v)
                                    j = k * pixels + pixel
                                    sums[j] = sums[j] + weight * seen
                for k in range(planes):
                    for pixel in range(pixels):
                        j, unit = k * pixels + pixel, row * H2_SIDE + pixel
                        if P == 1:
                            z[(o + k) * PIXELS + unit] = sum_lanes(sums[j])
                        else:
                            z[2 * (o + k) * PIXELS + unit] = sum_low(sums[j])
                            z[(2 * (o + k) + 1) * PIXELS + unit] = sum_high(sums[j])
        for i in range(0, C * PIXELS, L):
            value, rise = activate(load(z, i) + load(params, B + i))
            store(h2, i, value)
            store(slope, i, rise)

    @jit
    def backward(params, state, h1, h1_slope, d2, spread, d1, rates):
        """Fill d1 (8, 8, A), the gradient of H1's sums, from d2 (C, 4, 4), H2's; update weights.

        Tile: a row of taps of some planes. `spread` is memory for d2 in vectors.
        """
        for i in range(0, C * PIXELS, L):
            update(params, state, B + i, load(d2, i), rates)
        errors = in_vectors(d2, spread)
        input_gradient(params, errors, h1_slope, d1)
        for o in range(0, C // P, planes):
            first = o * P // G * G
            for v in range(0, S, V):
                for ky in range(KERNEL):
                    sums = tile(tile_taps)
                    for row in range(H2_SIDE):
                        for column in range(H2_SIDE):
                            at = ((2 * row + ky) * MAP_SIDE + 2 * column) * A + first + v
                            for k in range(planes):
                                d = error(errors, (o + k) * PIXELS + row * H2_SIDE + column)
                                for kx in range(KERNEL):
                                    j = k * KERNEL + kx
                                    sums[j] = sums[j] + d * load_seen(h1, at + kx * A)
                    for k in range(planes):
                        for kx in range(KERNEL):
                            tap = (o + k) * TAPS + ky * KERNEL + kx
                            at = W + (tap * S + v) * P
                            update(params, state, at, sums[k * KERNEL + kx], rates)

    return forward, backward


def make_errors(layout, ops, jit):
    """Return in_vectors(d2, spread) -> errors, and error(errors, i): unit i in a vector."""
    C, P, V = layout.C, layout.P, layout.V
    load, broadcast = ops.load, ops.broadcast
    half = vector_ops(V, checked=ops.checked)
    store_half, broadcast_half = half.store, half.broadcast

    @jit
    def in_vectors(d2, spread):
        """Return d2, or with two planes in a vector each unit's gradient repeated over its half."""
        if P == 1:
            return d2
        for o in range(C):
            for pixel in range(PIXELS):
                at = ((o // P * PIXELS + pixel) * P + o % P) * V
                store_half(spread, at, broadcast_half(d2, o * PIXELS + pixel))
        return spread

    @jit
    def error(errors, i):
        return broadcast(errors, i) if P == 1 else load(errors, i * LANES)

    return in_vectors, error


def make_input_gradient(layout, ops, jit, error, sums_at_once):
    """Return input_gradient(params, errors, h1_slope, d1), to be called before weights change."""
    A, C, G, S, P, V, L = layout.A, layout.C, layout.G, layout.S, layout.P, layout.V, LANES
    W = layout.offsets["h2_weight"]
    load, store, splat, tile = ops.load, ops.store, ops.splat, ops.tile
    add_copies = ops.add_copies
    rows = sums_at_once // H2_SIDE
    tile_size = rows * H2_SIDE

    def at_parity(py, px, top):
        """Return add(...) for the pixels (2Y + py, 2X + px) of H1, which the same taps reach.

        Y: `rows` of them from `top` on.
        """

        @jit
        def add(params, errors, d1, g, v):
            """Add the gradient from group g of H2 to the planes of H1 that it sees at v."""
            sums = tile(tile_size)
            for o in range(g * G // P, (g + 1) * G // P):
                for ky in range(py, KERNEL, 2):
                    for kx in range(px, KERNEL, 2):
                        weight = load(params, W + ((o * TAPS + ky * KERNEL + kx) * S + v) * P)
                        for row in range(rows):
                            for X in range(H2_SIDE):
                                # Tap ky of the unit in row y reads row 2y + ky - 2 of H1.
                                y, x = top + row + 1 - ky // 2, X + 1 - kx // 2
                                if 0 <= y < H2_SIDE and 0 <= x < H2_SIDE:
                                    d = error(errors, o * PIXELS + y * H2_SIDE + x)
                                    j = row * H2_SIDE + X
                                    sums[j] = sums[j] + weight * d
            for row in range(rows):
                for X in range(H2_SIDE):
                    at = ((2 * (top + row) + py) * H1_SIDE + 2 * X + px) * A + g * G + v
                    add_copies(d1, at, sums[row * H2_SIDE + X])

        return add

    def in_turn(first, second):
        @jit
        def add(params, errors, d1, g, v):
            first(params, errors, d1, g, v)
            second(params, errors, d1, g, v)

        return add

    parities = [(py, px) for py in range(2) for px in range(2)]
    tops = range(0, H2_SIDE, rows)
    add_all = reduce(in_turn, [at_parity(*parity, top) for parity in parities for top in tops])

    @jit
    def input_gradient(params, errors, h1_slope, d1):
        for i in range(0, H1_SIDE**2 * A, L):
            store(d1, i, splat(0.0))
        for g in range(3):
            for v in range(0, S, V):
                add_all(params, errors, d1, g, v)
        for pixel in range(H1_SIDE**2):
            at = pixel * A
            for plane in range(G):  # the repetition's gradient belongs to the first group
                d1[at + plane] += d1[at + C + plane]
                d1[at + C + plane] = 0.0
            for plane in range(0, A, L):
                store(d1, at + plane, load(d1, at + plane) * load(h1_slope, at + plane))

    return input_gradient
