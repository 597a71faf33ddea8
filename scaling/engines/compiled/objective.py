"""The last step of the way forward and the first of the way back: outputs, loss, its gradient."""

from typing import NamedTuple

import numpy as np

from scaling.architecture import N_CLASSES
from scaling.engines.compiled.activations import make_tanh
from scaling.recipe import Recipe


class Objective(NamedTuple):
    """Which loss, as run-time values: ten numbers are not worth a kernel of their own."""

    output_tanh: bool
    cross_entropy: bool
    hit: np.float32  # what the right output should be
    miss: np.float32  # and the others

    @classmethod
    def of(cls, recipe: Recipe) -> "Objective":
        cross_entropy = recipe.loss == "cross_entropy"
        shared = recipe.label_smoothing / N_CLASSES
        hit, miss = 1 - recipe.label_smoothing + shared, shared  # as probabilities
        return cls(
            output_tanh=recipe.output == "tanh",
            cross_entropy=cross_entropy,
            hit=np.float32(hit if cross_entropy else 2 * hit - 1),
            miss=np.float32(miss if cross_entropy else 2 * miss - 1),
        )


def make_output_gradient(ops, jit):
    """output_gradient(z, slope, label, objective, d) -> whether all is finite."""
    load, store, splat, tanh = ops.load, ops.store, ops.splat, make_tanh(jit)

    @jit
    def output_gradient(z, slope, label, objective, d):
        """From the sums z (U4,) of the outputs to the loss's gradient d (U4,) by them.

        U4 is one vector; `slope` is memory for as much.
        """
        value, rise = load(z, 0), splat(1.0)
        if objective.output_tanh:
            value = tanh(value)
            rise = rise - value * value
        store(d, 0, value)
        store(slope, 0, rise)
        if objective.cross_entropy:
            top, total = d[0], np.float32(0)
            for j in range(1, N_CLASSES):
                top = max(top, d[j])
            for j in range(N_CLASSES):
                d[j] = np.exp(d[j] - top)
                total += d[j]
        finite = True
        for j in range(N_CLASSES):
            target = objective.hit if j == label else objective.miss
            if objective.cross_entropy:
                d[j] = (d[j] / total - target) * slope[j]
            else:
                d[j] = np.float32(2 / N_CLASSES) * (d[j] - target) * slope[j]
            finite = finite and np.isfinite(d[j])
        return finite

    return output_gradient
