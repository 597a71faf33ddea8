"""A digest of a kernel's results on fixed examples, compared whenever the kernel is loaded.

The examples reach every branch of a kernel and both sides of its constants: both losses, shifts
around the edge and from the background, dropout, averaging, frozen layers; sums that saturate the
non-linearities, and optimizer states around the threshold of zero (TINY). All numbers are hashes of
their position, so they depend on no library and are the same everywhere.

Shapes: N presentations of 16 x 16 images; W weights; as in layout.py otherwise.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.data.counter_rng import mix
from scaling.engines.compiled.kernels import Kernels, Kind, Memory, Method
from scaling.engines.compiled.lanewise import TINY
from scaling.engines.compiled.layout import Floats, Layout, aligned_zeros
from scaling.engines.compiled.objective import Objective
from scaling.engines.compiled.optimizers import STATE_PER_WEIGHT
from scaling.models.architecture import IMAGE_SIDE, N_CLASSES
from scaling.recipes.recipe import Recipe

STEPS = 6
# Sizes of the optimizer's initial state: small and ordinary ones, and as many around TINY.
SIZES = (*(10.0**power for power in range(-36, -1)), *[TINY] * 35)


class _Case(NamedTuple):
    """A recipe, and the factor by which its initial weights exceed ordinary ones."""

    recipe: Recipe
    scale: float


_PLAIN = Recipe(name="", epochs=1, lr=1)
_CASES = (
    _Case(_PLAIN, 1),
    _Case(replace(_PLAIN, output="linear", loss="cross_entropy", dropout=0.25, ema=0.9), 1),
    _Case(replace(_PLAIN, output="twisted_tanh", shift_fill="background", dropout=0.5), 4),
    _Case(replace(_PLAIN, output="linear", loss="cross_entropy", label_smoothing=0.1), 16),
    _Case(replace(_PLAIN, output="scaled_tanh", trainable="output"), 64),
    _Case(replace(_PLAIN, output="twisted_tanh"), 256),
)


def digest(kernels: Kernels, kind: Kind) -> str:
    """Return a hash of everything that the kernels write on the fixed examples."""
    found = hashlib.sha256()
    layout = Layout(kind.width)
    for number, case in enumerate(_CASES):
        run = _Run.of(kind, layout, case, number)
        made = kernels.train(*run.train_arguments())
        z_N10 = np.zeros((STEPS, N_CLASSES), np.float32)
        kernels.outputs(run.averaged, run.x_NHW, z_N10, run.memory)
        found.update(str(made).encode())
        for array in (run.params, run.state, run.averaged, z_N10, *run.memory):
            found.update(array.tobytes())
    return found.hexdigest()


@dataclass(slots=True, kw_only=True)
class _Run:
    """The arguments of one training, which changes the first three in place."""

    params: Floats
    state: Floats
    averaged: Floats
    x_NHW: Floats
    drawn: Callable[[int], NDArray[np.float64]]
    recipe: Recipe
    memory: Memory
    adamw: bool

    @classmethod
    def of(cls, kind: Kind, layout: Layout, case: _Case, number: int) -> "_Run":
        W, streams = layout.offsets["end"], iter(range(100 * number, 100 * (number + 1)))

        def drawn(count: int) -> NDArray[np.float64]:
            """Return numbers uniform in [0, 1), from another stream at each call."""
            start = mix(np.array([next(streams)], np.uint32))
            return mix(np.arange(count, dtype=np.uint32) + start).astype(np.float64) * 2.0**-32

        params = aligned_zeros(W)
        params[:] = (drawn(W) - 0.5) * 0.25 * case.scale / kind.width**0.5
        state = aligned_zeros(W * STATE_PER_WEIGHT[kind.optimizer])
        chosen = (drawn(len(state)) * len(SIZES)).astype(np.int64)
        sizes = np.array(SIZES)[chosen] * 2 * drawn(len(state))
        adamw = kind.optimizer == "adamw"
        signs = np.where((drawn(len(state)) < 0.5) & (not adamw), -1, 1)
        state[:] = sizes * signs  # AdamW's second half, which must not be negative, holds squares
        averaged = params.copy()
        x_NHW = (drawn(STEPS * IMAGE_SIDE**2) * 2 - 1).astype(np.float32)
        return cls(
            params=params,
            state=state,
            averaged=averaged,
            x_NHW=x_NHW.reshape(STEPS, IMAGE_SIDE, IMAGE_SIDE),
            drawn=drawn,
            recipe=case.recipe,
            memory=Memory.of(layout),
            adamw=adamw,
        )

    def train_arguments(self) -> tuple[Any, ...]:
        def integers(below: int, kind: type[np.generic], least: int = 0) -> NDArray[Any]:
            return ((self.drawn(STEPS) * (below - least)).astype(np.int64) + least).astype(kind)

        rates_N3 = np.array([[0.02, 0.9, 1.5]] * STEPS, np.float32)
        if self.adamw:
            rates_N3[:] = (0.001, 0.999, 1.5)
        return (
            self.params,
            self.state,
            self.averaged,
            self.x_NHW,
            integers(N_CLASSES, np.uint8),
            integers(N_CLASSES, np.uint8),
            self.drawn(STEPS).astype(np.float32),
            integers(2**32, np.uint32),
            integers(3, np.int64, -2),
            integers(3, np.int64, -2),
            rates_N3,
            Method.of(self.recipe),
            Objective.of(self.recipe),
            self.memory,
        )
