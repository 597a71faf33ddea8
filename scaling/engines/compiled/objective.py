"""The end of the forward pass and the start of the backward pass: outputs, loss, gradient."""

from typing import NamedTuple

import numpy as np

from scaling.engines.compiled.activations import make_tanh
from scaling.engines.compiled.layout import Floats
from scaling.models.architecture import N_CLASSES, TWIST
from scaling.recipes.recipe import Output, Recipe

# An output is amplitude x tanh(stretch x sum) + twist x sum; see scaling/models/lecun1989.py.
SQUASHED: dict[Output, tuple[float, float, float]] = {
    "tanh": (1.0, 1.0, 0.0),
    "scaled_tanh": (1.7159, 2 / 3, 0.0),
    "twisted_tanh": (1.7159, 2 / 3, TWIST),
}


class Objective(NamedTuple):
    """Outputs and loss as run-time values: ten outputs are not worth a separate kernel."""

    squash: bool
    amplitude: np.float32
    stretch: np.float32
    twist: np.float32
    cross_entropy: bool
    hit: np.float32  # the target of the right output
    miss: np.float32  # the target of the others

    @classmethod
    def of(cls, recipe: Recipe) -> "Objective":
        cross_entropy = recipe.loss == "cross_entropy"
        shared = recipe.label_smoothing / N_CLASSES
        hit, miss = 1 - recipe.label_smoothing + shared, shared  # as probabilities
        amplitude, stretch, twist = SQUASHED.get(recipe.output, (1.0, 1.0, 0.0))
        return cls(
            squash=recipe.output in SQUASHED,
            amplitude=np.float32(amplitude),
            stretch=np.float32(stretch),
            twist=np.float32(twist),
            cross_entropy=cross_entropy,
            hit=np.float32(hit if cross_entropy else 2 * hit - 1),
            miss=np.float32(miss if cross_entropy else 2 * miss - 1),
        )


def output_values(recipe: Recipe, z_N10: Floats) -> Floats:
    """Return the outputs for their sums."""
    if recipe.output not in SQUASHED:
        return z_N10
    amplitude, stretch, twist = map(np.float32, SQUASHED[recipe.output])
    bent_N10: Floats = amplitude * np.tanh(stretch * z_N10) + twist * z_N10
    return bent_N10


def make_output_gradient(ops, jit):
    """Return output_gradient(z, slope, label, other, share, objective, d) -> finite or not."""
    load, store, splat, tanh = ops.load, ops.store, ops.splat, make_tanh(jit)

    @jit
    def output_gradient(z, slope, label, other, share, objective, d):
        """Fill in the loss's gradient d (U4,) by the outputs' sums z (U4,).

        The target has the share `share` of the label's target, the rest of the other label's. U4 is
        one vector; `slope` is memory of the same size.
        """
        value, rise = load(z, 0), splat(1.0)
        if objective.squash:
            bent = tanh(value * objective.stretch)
            rise = (rise - bent * bent) * (objective.amplitude * objective.stretch)
            rise = rise + objective.twist
            value = bent * objective.amplitude + value * objective.twist
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
            target = share * (objective.hit if j == label else objective.miss)
            target += (1 - share) * (objective.hit if j == other else objective.miss)
            if objective.cross_entropy:
                d[j] = (d[j] / total - target) * slope[j]
            else:
                d[j] = np.float32(2 / N_CLASSES) * (d[j] - target) * slope[j]
            finite = finite and np.isfinite(d[j])
        return finite

    return output_gradient
