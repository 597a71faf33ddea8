"""The 1989 network's weights and every engine's starting point. No torch."""

import numpy as np
from numpy.typing import NDArray

from scaling.architecture import KERNEL, N_CLASSES, Architecture
from scaling.recipe import Recipe

Weights = dict[str, NDArray[np.float32]]
INIT_TAG = 3  # keeps the stream of the weights apart from those that draw images (data.py)


def initial_weights(architecture: Architecture, recipe: Recipe, seed: int) -> Weights:
    """Every engine's starting point: uniform within 2.4 / sqrt(fan_in), biases 0.

    The paper writes 2.4 / F_i; the square root is the 2022 reproduction's, whose results we compare
    with. Source: LeCun et al. 1989, section 3.3; lecun1989-repro, repro.py.
    """
    h1, h2, h3, _ = architecture.layers
    planes, seen = architecture.planes, 2 * architecture.group
    rng = np.random.default_rng([INIT_TAG, seed])

    def uniform(fan_in: int, *shape: int) -> NDArray[np.float32]:
        return np.asarray(rng.uniform(-1, 1, shape) * 2.4 / fan_in**0.5, np.float32)

    side = architecture.h2_side
    return {
        "h1_weight": uniform(h1.fan_in, planes, 1, KERNEL, KERNEL),
        "h1_bias": np.zeros((planes, 2 * side, 2 * side), np.float32),
        "h2_weight": uniform(h2.fan_in, planes, seen, KERNEL, KERNEL),
        "h2_bias": np.zeros((planes, side, side), np.float32),
        "h3_weight": uniform(h3.fan_in, h3.fan_in, h3.units),
        "h3_bias": np.zeros(h3.units, np.float32),
        "output_weight": uniform(h3.units, h3.units, N_CLASSES),
        "output_bias": np.full(N_CLASSES, recipe.output_bias, np.float32),
    }
