"""The compiled functions of one kind of network: training and evaluation.

Width, activation and optimizer are compiled in (`Kind`); everything else is an argument, so one
compilation serves many recipes.

Shapes: N presentations; as in layout.py otherwise.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import float32, int64, njit, typeof, uint8, uint32

from scaling.engines.compiled.activations import make_activation
from scaling.engines.compiled.dense import make_dense
from scaling.engines.compiled.h1 import make_h1
from scaling.engines.compiled.h2 import make_h2
from scaling.engines.compiled.inputs import make_drop, make_place_image
from scaling.engines.compiled.layout import (
    H1_SIDE,
    INPUT_SIDE,
    LANES,
    MAP_SIDE,
    Floats,
    Layout,
    aligned_zeros,
)
from scaling.engines.compiled.objective import Objective, make_output_gradient
from scaling.engines.compiled.optimizers import Update, make_update
from scaling.engines.compiled.vectors import vector_ops
from scaling.models.architecture import BACKGROUND, N_CLASSES
from scaling.recipes.recipe import Activation, Recipe

# Multiply-adds may be fused. Sums keep their written order, and NaN and infinity follow IEEE 754.
# Zeros keep their sign: else LLVM leaves out the addition of the first product to 0, and then fuses
# either of the first two, not the same on all processors. So those that fuse give the same bits.
FASTMATH = {"contract"}

# Without numba's reference counting: no kernel allocates memory, and machine code that calls no
# function of numba can be loaded without numba (native.py checks that).
BARE = {"_nrt": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The options of a compilation; `checked` adds a check of every index, for tests."""

    width: int
    activation: Activation
    optimizer: Update
    checked: bool = False

    def __str__(self) -> str:
        checked = ", checked" if self.checked else ""
        return f"width {self.width}, {self.activation}, {self.optimizer}{checked}"


class Kernels(NamedTuple):
    """The two compiled functions; `make_kernels` describes their arguments."""

    train: Any
    outputs: Any


class Method(NamedTuple):
    """A recipe's options as run-time values."""

    wrap: bool  # shifts wrap around the edges
    dropout: bool
    threshold: np.uint32  # units with a smaller hash are dropped
    scale: np.float32  # of the other units
    average: bool
    pace: np.float32  # 1 - decay of the averaged weights
    deep: bool  # all layers learn, not the outputs alone

    @classmethod
    def of(cls, recipe: Recipe) -> "Method":
        return cls(
            wrap=recipe.shift_fill == "wrap",
            dropout=recipe.dropout > 0,
            threshold=np.uint32(recipe.dropout * 2**32),
            scale=np.float32(1) / np.float32(1 - recipe.dropout),
            average=recipe.ema > 0,
            pace=np.float32(1 - recipe.ema),
            deep=recipe.trainable == "all",
        )


class Memory(NamedTuple):
    """The memory of one example: values, slopes (r for rise) and gradients (d) of each layer."""

    x: Floats  # (20, 20), the image in its background
    h1: Floats  # (12, 12, A), in its background
    r1: Floats  # (8, 8, A)
    d1: Floats
    z2: Floats  # (U2,)
    h2: Floats
    r2: Floats
    d2: Floats
    keep: Floats
    spread: Floats  # (U2 / P, L), d2 in vectors; empty where P = 1
    z3: Floats  # (U3,)
    h3: Floats
    r3: Floats
    d3: Floats
    z4: Floats  # (U4,)
    r4: Floats
    d4: Floats

    @classmethod
    def of(cls, layout: Layout) -> "Memory":
        sizes = {"x": INPUT_SIDE**2, "h1": MAP_SIDE**2 * layout.A}
        sizes |= dict.fromkeys(("r1", "d1"), H1_SIDE**2 * layout.A)
        sizes |= dict.fromkeys(("z2", "h2", "r2", "d2", "keep"), layout.U2)
        sizes["spread"] = layout.U2 * layout.V if layout.P > 1 else 0
        sizes |= dict.fromkeys(("z3", "h3", "r3", "d3"), layout.U3)
        sizes |= dict.fromkeys(("z4", "r4", "d4"), layout.U4)
        memory = cls(**{name: aligned_zeros(size) for name, size in sizes.items()})
        memory.x[:] = BACKGROUND
        memory.h1[:] = BACKGROUND
        return memory


def make_kernels(kind: Kind, sums: int) -> Kernels:
    """Return the functions of a kind, which numba compiles when they are called.

    `sums`: how many a tile holds (registers.py).
    """
    layout = Layout(kind.width)
    at, U2, U3, L = layout.offsets, layout.U2, layout.U3, LANES
    jit = njit(fastmath=FASTMATH, boundscheck=kind.checked, error_model="numpy", nogil=True, **BARE)
    ops = vector_ops(L, copies=layout.P, checked=kind.checked)
    load, store = ops.load, ops.store
    activate = make_activation(kind.activation, jit)
    n_params = at["end"]
    update = make_update(kind.optimizer, n_params, ops, jit)
    h1_forward, h1_backward = make_h1(layout, ops, jit, activate, update, sums)
    h2_forward, h2_backward = make_h2(layout, ops, jit, activate, update, sums)
    h3_sums, h3_backward = make_dense(
        at["h3_weight"], at["h3_bias"], layout.h3_units, U2, U3, ops, jit, update
    )
    output_sums, output_backward = make_dense(
        at["output_weight"], at["output_bias"], N_CLASSES, U3, layout.U4, ops, jit, update
    )
    place_image, drop = make_place_image(jit), make_drop(U2, ops, jit)
    output_gradient = make_output_gradient(ops, jit)

    @jit
    def h3_forward(params, h2, z, h3, slope):
        h3_sums(params, h2, z)
        for i in range(0, U3, L):
            value, rise = activate(load(z, i))
            store(h3, i, value)
            store(slope, i, rise)

    @jit
    def train(
        params,
        state,
        averaged,
        x_NHW,
        y_N,
        other_N,
        share_N,
        keys_N,
        rows_N,
        columns_N,
        rates_N3,
        how,
        goal,
        m,
    ):
        """Make a step for each presentation in order; the first three arrays change in place.

        Return the number of steps: fewer than N if an output became NaN or infinite.
        """
        for n in range(len(y_N)):
            rates = (rates_N3[n, 0], rates_N3[n, 1], rates_N3[n, 2])
            place_image(m.x, x_NHW[n], rows_N[n], columns_N[n], how.wrap)
            h1_forward(params, m.x, m.h1, m.r1)
            h2_forward(params, m.h1, m.z2, m.h2, m.r2)
            if how.dropout:
                drop(m.h2, m.r2, m.keep, keys_N[n], how.threshold, how.scale)
            h3_forward(params, m.h2, m.z3, m.h3, m.r3)
            output_sums(params, m.h3, m.z4)
            if not output_gradient(m.z4, m.r4, y_N[n], other_N[n], share_N[n], goal, m.d4):
                return n
            output_backward(params, state, m.h3, m.r3, m.d4, m.d3, rates)
            if how.deep:
                h3_backward(params, state, m.h2, m.r2, m.d3, m.d2, rates)
                h2_backward(params, state, m.h1, m.r1, m.d2, m.spread, m.d1, rates)
                h1_backward(params, state, m.x, m.d1, rates)
            if how.average:
                for i in range(0, n_params, L):
                    average = load(averaged, i)
                    store(averaged, i, average + (load(params, i) - average) * how.pace)
        return len(y_N)

    @jit
    def outputs(params, x_NHW, z_N10, m):
        """Fill in the outputs' sums, before any tanh, for each image."""
        for n in range(len(x_NHW)):
            place_image(m.x, x_NHW[n], 0, 0, True)
            h1_forward(params, m.x, m.h1, m.r1)
            h2_forward(params, m.h1, m.z2, m.h2, m.r2)
            h3_forward(params, m.h2, m.z3, m.h3, m.r3)
            output_sums(params, m.h3, m.z4)
            for j in range(N_CLASSES):
                z_N10[n, j] = m.z4[j]

    return Kernels(train, outputs)


def signatures(kind: Kind) -> Kernels:
    """Return the signature that each kernel is compiled for."""
    recipe = Recipe(name="", epochs=1, lr=1)  # any recipe: types do not depend on its values
    memory = typeof(Memory.of(Layout(kind.width)))
    flat, per_step, images = float32[::1], float32[:, ::1], float32[:, :, ::1]
    chosen = (typeof(Method.of(recipe)), typeof(Objective.of(recipe)))
    labels = (uint8[::1], uint8[::1], float32[::1])
    drawn = (uint32[::1], int64[::1], int64[::1])
    return Kernels(
        train=(flat, flat, flat, images, *labels, *drawn, per_step, *chosen, memory),
        outputs=(flat, images, per_step, memory),
    )
