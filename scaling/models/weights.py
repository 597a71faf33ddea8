"""The 1989 network's weights and every engine's starting point. No torch."""

import numpy as np
from numpy.typing import NDArray

from scaling.models.architecture import KERNEL, N_CLASSES, Architecture
from scaling.recipes.recipe import Connections, Recipe

Weights = dict[str, NDArray[np.float32]]
INIT_TAG = 3  # keeps the stream of the weights apart from those that draw images (data.py)


def initial_weights(architecture: Architecture, recipe: Recipe, seed: int) -> Weights:
    """Every engine's starting point: uniform within 2.4 / sqrt(fan_in), biases 0.

    The paper writes 2.4 / F_i (`fan_in`); the square root is the 2022 reproduction's, whose results
    we compare with. Gains leave a layer as it is (weights) or are 1.
    Source: LeCun et al. 1989, section 3.3; lecun1989-repro, repro.py.
    """
    h1, h2, h3, _ = architecture.layers
    planes, seen = architecture.planes, 2 * architecture.group
    rng = np.random.default_rng([INIT_TAG, seed])

    def uniform(fan_in: int, *shape: int) -> NDArray[np.float32]:
        most = 2.4 / (fan_in if recipe.init == "fan_in" else fan_in**0.5)
        return np.asarray(rng.uniform(-1, 1, shape) * most, np.float32)

    side = architecture.h2_side
    weights = {
        "h1_weight": uniform(h1.fan_in, planes, 1, KERNEL, KERNEL),
        "h1_bias": np.zeros((planes, 2 * side, 2 * side), np.float32),
        "h2_weight": uniform(h2.fan_in, planes, seen, KERNEL, KERNEL),
        "h2_bias": np.zeros((planes, side, side), np.float32),
        "h3_weight": uniform(h3.fan_in, h3.fan_in, h3.units),
        "h3_bias": np.zeros(h3.units, np.float32),
        "output_weight": uniform(h3.units, h3.units, N_CLASSES),
        "output_bias": np.full(N_CLASSES, recipe.output_bias, np.float32),
    }
    return weights | _gains(weights, recipe)


def seen_planes(architecture: Architecture, connections: Connections) -> NDArray[np.int64]:
    """Which planes of H1 each plane of H2 sees, shape (P, S); the paper leaves it open."""
    G, P = architecture.group, architecture.planes
    if connections == "cyclic":
        return (np.arange(P)[:, None] + np.arange(2 * G)) % P
    groups = np.arange(P).reshape(3, G)
    pairs = [np.concatenate([groups[a], groups[b]]) for a, b in ((0, 1), (1, 2), (0, 2))]
    return np.repeat(pairs, G, axis=0)


def _gains(weights: Weights, recipe: Recipe) -> Weights:
    """The gains of a normalization: of every plane (P, 1, 1) of H1 and H2, and unit of H3."""
    if recipe.norm == "none":
        return {}
    gains: Weights = {}
    for layer in ("h1", "h2", "h3", *(["output"] if recipe.norm == "weight" else [])):
        kernel = weights[f"{layer}_weight"]
        lengths = np.sqrt((kernel**2).sum(axis=0 if kernel.ndim == 2 else (1, 2, 3)))
        gain = lengths if recipe.norm == "weight" else np.ones_like(lengths)
        gains[f"{layer}_gain"] = gain if kernel.ndim == 2 else gain[:, None, None]
    return gains
