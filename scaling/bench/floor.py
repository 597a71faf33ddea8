"""The floor: the time of a training step if a core did nothing but its arithmetic.

The arithmetic is counted from the architecture; the core's speed is measured with a loop of
multiply-adds that keeps its vector registers full and never waits for memory.
"""

from collections.abc import Callable
from time import perf_counter

import numpy as np

from scaling.engines.compiled.layout import LANES
from scaling.models.architecture import Architecture
from scaling.recipes.recipe import Optimizer, Recipe

# A multiply-accumulate is 2 FLOP. AdamW, as in engines/compiled/optimizers.py: mean 3, square 4,
# step 5 (its square root and division counted as one each), weight and its decay 2.
FLOP_PER_UPDATE: dict[Optimizer, int] = {"sgd": 2, "adamw": 14}

ACCUMULATORS = (3, 6, 12, 24)  # vectors in flight: 16 registers of SSE2, of AVX2; 32 of AVX-512


def step_flop(architecture: Architecture, recipe: Recipe) -> int:
    """Return the FLOP of one example's step: forward, gradients, update, without activations.

    The weight gradient and the input gradient each cost as much as the forward pass; the gradient
    of the image is not needed.
    """
    first = architecture.layers[0]
    macs = 3 * architecture.n_macs - first.macs
    return 2 * macs + FLOP_PER_UPDATE[recipe.optimizer] * architecture.n_params


def fastest_fma() -> Callable[[float], float]:
    """Return a function that does at least a number of FLOP and returns the number it did.

    It uses the number of accumulators that is fastest on this core.
    """
    from scaling.bench.fma import make_fma  # needs numba, which may be missing

    makers = {count: make_fma(count) for count in ACCUMULATORS}
    values = np.linspace(0, 1, max(ACCUMULATORS) * LANES, dtype=np.float32)

    def speed(count: int) -> float:
        turns, times = 2_000_000 // count, []
        for _ in range(5):  # the first call compiles it
            started = perf_counter()
            makers[count](values, turns)
            times.append(perf_counter() - started)
        return turns * count / min(times)

    best = max(ACCUMULATORS, key=speed)
    flop_per_turn = 2 * LANES * best

    def run(flop: float) -> float:
        turns = int(-(-flop // flop_per_turn))
        makers[best](values, turns)
        return float(turns * flop_per_turn)

    return run
