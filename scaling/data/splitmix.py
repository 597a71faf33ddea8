"""Random numbers for compiled code: each draw is a hash of a key and its number.

Only + - * / are used, without fastmath, so that the draws depend on no mathematical library.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit

F = TypeVar("F", bound=Callable[..., object])
Key = np.uint64


def jit(function: F) -> F:
    """Return the function compiled by numba with IEEE 754 arithmetic."""
    return cast(F, njit(nogil=True, error_model="numpy")(function))


@jit
def hash64(key: Key, draw: int) -> Key:
    """Return output number `draw` of splitmix64 in state `key` (Steele et al., 2014)."""
    z = key + np.uint64(draw + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def uniform(key: Key, draw: int) -> float:
    """Return a number in [0, 1)."""
    return float(hash64(key, draw) >> np.uint64(11)) * 2.0**-53


@jit
def normal(key: Key, draw: int) -> float:
    """Return a number of mean 0 and standard deviation 1, within +-3.5.

    The sum of four 16-bit uniforms needs no mathematical library.
    """
    z, low = hash64(key, draw), np.uint64(0xFFFF)
    total = (z & low) + (z >> np.uint64(16) & low) + (z >> np.uint64(32) & low)
    total += z >> np.uint64(48)
    return (float(total) - 2 * 65535) * (1.7320508075688772 / 65536)  # sqrt(3): variance 4/12
