"""A new kernel's weights and losses are compared with autograd's before it is stored.

In a large array, one weight and one more in a thousand may exceed TOLERANCE, by at most the length
of the steps: where a gradient is only rounding error, AdamW makes a whole step of it, and a ReLU
whose input is 0 up to rounding may be on or off.

Shapes: N training images.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from scaling.data.selection import DatasetInfo, Examples
from scaling.engines.compiled.engine import CompiledModel
from scaling.engines.compiled.kernels import Kernels, Kind
from scaling.errors import InputError
from scaling.models.weights import initial_weights
from scaling.recipes.ladder import BASELINE, LADDER, MODERN
from scaling.recipes.recipe import Recipe
from scaling.study import make_cell, make_members

TOLERANCE = 1e-6
LOSS = 1e-5  # relative tolerance of an image's loss (assumed)
LARGE = 100  # weights; in smaller arrays every weight must agree
IMAGES, EPOCHS = 8, 2


def check_agreement(kind: Kind, kernels: Kernels) -> None:
    """Raise InputError unless the kernels train and evaluate as the reference engine does."""
    for recipe in _recipes(kind):
        if difference := _difference(kind, kernels, recipe):
            raise InputError(
                f"the compiled engine for {kind} does not compute what PyTorch does on this machine"
                f" ({difference} after {IMAGES * EPOCHS} steps on fixed examples):"
                " use --engine reference, and please report it"
            )


def _recipes(kind: Kind) -> Iterator[Recipe]:
    """Yield three recipes for a kind, which together cover its options."""
    if kind.optimizer == "adamw":
        first = LADDER["adamw"]
        second = replace(LADDER[MODERN], ema=0.9, label_smoothing=0.1)
    else:
        momentum = 0.9 if kind.optimizer == "momentum" else 0.0
        first = replace(LADDER[BASELINE], momentum=momentum)
        second = replace(LADDER["ce"], momentum=momentum, shift=2, shift_fill="background")
        second = replace(second, dropout=0.25, ema=0.9)
    for recipe in (first, second, replace(first, trainable="output")):
        lr = recipe.lr / kind.width / 10  # small, so that training does not amplify rounding errors
        yield replace(recipe, activation=kind.activation, epochs=EPOCHS, lr=lr)


def _difference(kind: Kind, kernels: Kernels, recipe: Recipe) -> str | None:
    """Return the first difference from the reference in words; None if all agrees."""
    from scaling.engines.reference import ReferenceModel, deterministic  # seconds to import

    info = DatasetInfo(name="noise", version="1", n_train=IMAGES, n_test=1, n_val=0)
    cell = make_cell(info, recipe, n_train=IMAGES, width=kind.width)
    (member,) = make_members(recipe, [0])
    rng = np.random.default_rng(0)
    examples = Examples(
        x=rng.uniform(-1, 1, (IMAGES, 16, 16)).astype(np.float32),
        y=rng.integers(0, 10, IMAGES).astype(np.uint8),
    )
    scales = None
    if kind.optimizer == "scaled_sgd":
        start = initial_weights(cell.architecture, recipe, 0)
        scales = {k: rng.uniform(0.2, 1.5, v.shape).astype(np.float32) for k, v in start.items()}
    fast = CompiledModel(cell, member, examples, rate_scales=scales, kernels=kernels)
    with deterministic():
        slow = ReferenceModel(cell, member, examples, "cpu", rate_scales=scales)
        for epoch in range(1, EPOCHS + 1):
            if problem := fast.train_epoch(epoch) or slow.train_epoch(epoch):
                return problem
        ours, theirs = fast.weights(), slow.weights()
        for name, values in theirs.items():
            errors = np.sort(np.abs(ours[name] - values).ravel())
            exempt = errors.size // 1000 + (errors.size > LARGE)
            worst, limit = errors[-1 - exempt], 2 * IMAGES * EPOCHS * recipe.lr
            if not (worst <= TOLERANCE and errors[-1] <= limit):
                return f"{name} is off by {worst:.1e}, at most {TOLERANCE:.0e} expected,"
        for i in range(IMAGES):
            one = Examples(x=examples.x[i : i + 1], y=examples.y[i : i + 1])
            a, b = fast.score(one), slow.score(one)
            if not abs(a.loss - b.loss) <= LOSS * (1 + b.loss) or a.misses != b.misses:
                return f"an image has loss {a.loss:.6g}, expected {b.loss:.6g},"
    return None
