"""The initial weights and the connections of the 1989 network. No torch."""

import numpy as np
from numpy.typing import NDArray

from scaling.models.architecture import KERNEL, N_CLASSES, Architecture
from scaling.recipes.recipe import Connections, Recipe

Weights = dict[str, NDArray[np.float32]]
INIT_TAG = 3  # separates the random stream of the weights from those in scaling/data/selection.py


def initial_weights(architecture: Architecture, recipe: Recipe, seed: int) -> Weights:
    """Return weights uniform within 2.4 / sqrt(fan_in) and biases 0, for every engine.

    The paper writes 2.4 / F_i (`fan_in`); the square root is that of the 2022 reproduction, whose
    results we compare with. Weight normalization's gains leave the layer unchanged; others are 1.
    Source: LeCun et al. 1989, section 3.3; lecun1989-repro, repro.py.
    """
    h1, h2, h3, _ = architecture.layers
    planes, seen = architecture.planes, 2 * architecture.group
    rng = np.random.default_rng([INIT_TAG, seed])

    def uniform(fan_in: int, *shape: int) -> NDArray[np.float32]:
        bound = 2.4 / (fan_in if recipe.init == "fan_in" else fan_in**0.5)
        return np.asarray(rng.uniform(-1, 1, shape) * bound, np.float32)

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
    """Return the planes of H1 that each plane of H2 sees, (P, S); the paper leaves them open."""
    G, P = architecture.group, architecture.planes
    if connections == "cyclic":
        return (np.arange(P)[:, None] + np.arange(2 * G)) % P
    groups = np.arange(P).reshape(3, G)
    pairs = [np.concatenate([groups[a], groups[b]]) for a, b in ((0, 1), (1, 2), (0, 2))]
    return np.repeat(pairs, G, axis=0)


def _gains(weights: Weights, recipe: Recipe) -> Weights:
    """Return a normalization's gains: of each plane (P, 1, 1) of H1 and H2, and each unit of H3."""
    if recipe.norm == "none":
        return {}
    gains: Weights = {}
    for layer in ("h1", "h2", "h3", *(["output"] if recipe.norm == "weight" else [])):
        kernel = weights[f"{layer}_weight"]
        lengths = np.sqrt((kernel**2).sum(axis=0 if kernel.ndim == 2 else (1, 2, 3)))
        gain = lengths if recipe.norm == "weight" else np.ones_like(lengths)
        gains[f"{layer}_gain"] = gain if kernel.ndim == 2 else gain[:, None, None]
    return gains
