"""A new kernel trains and evaluates as autograd does, weight by weight, before it is stored.

Of a large array of weights one, and one in a thousand more, may be further off than TOLERANCE, by
no more than the steps are long: where a gradient is nothing but rounding, AdamW makes a whole step
of it, and a ReLU whose input is 0 up to rounding may go either way.

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
from scaling.recipes.ladder import LADDER
from scaling.recipes.recipe import Recipe
from scaling.study import make_cell, make_members

TOLERANCE = 1e-6
LOSS = 1e-5  # by which the losses of an image may differ, relative to them (assumed)
LARGE = 100  # weights; of smaller arrays every one must agree
IMAGES, EPOCHS = 8, 2


def check_agreement(kind: Kind, kernels: Kernels) -> None:
    """Raises InputError unless the kernels train and evaluate as the reference engine does."""
    for recipe in _recipes(kind):
        if found := _difference(kind, kernels, recipe):
            raise InputError(
                f"the compiled engine for {kind} does not compute what PyTorch does on this machine"
                f" ({found} after {IMAGES * EPOCHS} steps on fixed examples):"
                " use --engine reference, and please report it"
            )


def _recipes(kind: Kind) -> Iterator[Recipe]:
    """Three for every kind: between them, what a recipe can ask of it."""
    if kind.optimizer == "adamw":
        first = LADDER["adamw"]
        second = replace(LADDER["dropout_relu"], ema=0.9, label_smoothing=0.1)
    else:
        momentum = 0.9 if kind.optimizer == "momentum" else 0.0
        first = replace(LADDER["1989"], momentum=momentum)
        second = replace(LADDER["ce"], momentum=momentum, shift=2, shift_fill="background")
        second = replace(second, dropout=0.25, ema=0.9)
    for recipe in (first, second, replace(first, trainable="output")):
        lr = recipe.lr / kind.width / 10  # training that does not double its rounding errors
        yield replace(recipe, activation=kind.activation, epochs=EPOCHS, lr=lr)


def _difference(kind: Kind, kernels: Kernels, recipe: Recipe) -> str | None:
    """Describe the first difference from the reference; None if there is none."""
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
            if broken := fast.train_epoch(epoch) or slow.train_epoch(epoch):
                return broken
        ours, theirs = fast.weights(), slow.weights()
        for name, values in theirs.items():
            far = np.sort(np.abs(ours[name] - values).ravel())
            spared = far.size // 1000 + (far.size > LARGE)
            limit = 2 * IMAGES * EPOCHS * recipe.lr
            if not (far[-1 - spared] <= TOLERANCE and far[-1] <= limit):
                return f"{name} is off by {far[-1 - spared]:.1e}, at most {TOLERANCE:.0e} expected,"
        for i in range(IMAGES):
            one = Examples(x=examples.x[i : i + 1], y=examples.y[i : i + 1])
            a, b = fast.score(one), slow.score(one)
            if not abs(a.loss - b.loss) <= LOSS * (1 + b.loss) or a.misses != b.misses:
                return f"an image has loss {a.loss:.6g}, expected {b.loss:.6g},"
    return None
