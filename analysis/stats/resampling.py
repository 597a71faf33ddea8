"""The draws of every bootstrap: with replacement, and the same for all cells that are compared.

Shapes: R replicates, I test images, S seeds.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Floats

Matrix = NDArray[np.float32]
Source = Callable[[Sequence[int]], np.random.Generator]


def draw_counts(rng: np.random.Generator, n: int, replicates: int) -> NDArray[np.int64]:
    """Return how often each of n things is drawn, (replicates, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=replicates)


def one_stream(rng: np.random.Generator) -> Source:
    """Return a source by which every draw continues one stream: their order matters."""
    return lambda _key: rng


def keyed_streams(seed: int) -> Source:
    """Return a source by which a draw depends on what is drawn, and not on the order of draws."""
    return lambda key: np.random.default_rng([seed, *key])


class CrossedDraws:
    """Draws of test images and of seeds, made once and kept."""

    def __init__(self, replicates: int, source: Source) -> None:
        self.replicates = replicates
        self._source = source
        self._weights: dict[int, Matrix] = {}
        self._deviations: dict[tuple[int, ...], Floats] = {}

    def image_counts(self, n_I: int) -> Matrix:
        """Return how often each image is drawn (R, I); these draws are not kept.

        Whole numbers below 2**24 are exact in float32, which multiplies twice as fast.
        """
        return draw_counts(self._source([n_I]), n_I, self.replicates).astype(np.float32)

    def image_weights(self, n_I: int) -> Matrix:
        """Return the weight of each image in a replicate's mean (R, I)."""
        if n_I not in self._weights:
            self._weights[n_I] = self.image_counts(n_I) / np.float32(n_I)
        return self._weights[n_I]

    def seed_deviations(self, seeds: Sequence[int]) -> Floats:
        """Return by how much each seed's weight differs from 1 / S in a replicate's mean (R, S)."""
        key, n_S = tuple(seeds), len(seeds)
        if key not in self._deviations:
            drawn = draw_counts(self._source(key), n_S, self.replicates)
            self._deviations[key] = drawn / n_S - 1 / n_S
        return self._deviations[key]
