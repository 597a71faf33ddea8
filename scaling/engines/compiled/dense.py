"""A fully connected layer, H3 or the outputs: a vector holds L of its inputs, or L of its units.

Shapes: M units, N inputs, both rounded up to whole vectors; the weights are (units, N).
"""

from scaling.engines.compiled.lanewise import sum_lanes

ROWS = 5  # units per load of the inputs; divides the numbers of units of H3 and of outputs


def make_dense(weight_at, bias_at, units, N, M, ops, jit, update):
    """Return forward(params, a, z) and backward(params, state, a, a_slope, d, da, rates)."""
    W, B, L = weight_at, bias_at, ops.lanes
    load, store, broadcast, splat, tile = (
        ops.load, ops.store, ops.broadcast, ops.splat, ops.tile
    )  # fmt: skip

    @jit
    def forward(params, a, z):
        """Fill in the sums z (M,), biases included, of the inputs a (N,)."""
        for row in range(0, units, ROWS):
            sums = tile(ROWS)
            for i in range(0, N, L):
                inputs = load(a, i)
                for j in range(ROWS):
                    sums[j] = sums[j] + inputs * load(params, W + (row + j) * N + i)
            for j in range(ROWS):
                z[row + j] = sum_lanes(sums[j])
        for i in range(0, M, L):
            store(z, i, load(z, i) + load(params, B + i))

    @jit
    def backward(params, state, a, a_slope, d, da, rates):
        """Fill in da (N,), the gradient by the inputs' own sums, from d (M,), and update weights.

        Each weight is read for the gradient just before it is updated.
        """
        for i in range(0, M, L):
            update(params, state, B + i, load(d, i), rates)
        for i in range(0, N, L):
            store(da, i, splat(0.0))
        for row in range(0, units, ROWS):
            errors = tile(ROWS)
            for j in range(ROWS):
                errors[j] = broadcast(d, row + j)
            for i in range(0, N, L):
                inputs, back = load(a, i), load(da, i)
                for j in range(ROWS):
                    at = W + (row + j) * N + i
                    back = back + errors[j] * load(params, at)
                    update(params, state, at, errors[j] * inputs, rates)
                store(da, i, back)
        for i in range(0, N, L):
            store(da, i, load(da, i) * load(a_slope, i))

    return forward, backward
