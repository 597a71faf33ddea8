"""A loop of multiply-adds in vector registers."""

from typing import Any

import numpy as np
from numba import njit

import scaling.engines.compiled.lanewise  # noqa: F401  teaches numba the arithmetic
from scaling.engines.compiled.kernels import FASTMATH
from scaling.engines.compiled.layout import LANES
from scaling.engines.compiled.vectors import vector_ops

FACTOR, TERM = np.float32(0.999), np.float32(0.001)  # arbitrary; results stay finite and normal


def make_fma(count: int) -> Any:
    """Return fma(values, turns): `count` vectors, each multiplied and added to `turns` times.

    `values` holds each vector's initial value, as the compiler would merge equal vectors, and its
    result, as the compiler would remove unused ones.
    """
    ops = vector_ops(LANES)
    load, store, splat, tile = ops.load, ops.store, ops.splat, ops.tile

    @njit(fastmath=FASTMATH, nogil=True)
    def fma(values, turns):
        factor, term = splat(FACTOR), splat(TERM)
        sums = tile(count)
        for j in range(count):
            sums[j] = load(values, j * LANES)
        for _ in range(turns):
            for j in range(count):
                sums[j] = sums[j] * factor + term
        for j in range(count):
            store(values, j * LANES, sums[j])

    return fma
