"""A new kernel trains as autograd does, weight by weight, before it is stored.

Of all weights one in a thousand may be further off than TOLERANCE, by no more than the steps are
long: where a gradient is nothing but rounding, AdamW makes a whole step of it, and a ReLU whose
input is 0 up to rounding may go either way.

Shapes: N training images.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scaling.data import DatasetInfo, Examples
from scaling.engines.compiled.engine import CompiledModel
from scaling.engines.compiled.kernels import Kernels, Kind
from scaling.errors import InputError
from scaling.ladder import LADDER
from scaling.recipe import Recipe
from scaling.study import make_cell, make_members
from scaling.weights import initial_weights

TOLERANCE = 1e-6
IMAGES, EPOCHS = 8, 2


def check_agreement(kind: Kind, kernels: Kernels) -> None:
    """Raises InputError unless the kernels train as the reference engine does."""
    for recipe in _recipes(kind):
        far, limit = _distances(kind, kernels, recipe), 2 * IMAGES * EPOCHS * recipe.lr
        if not (np.quantile(far, 0.999) <= TOLERANCE and far.max() <= limit):
            raise InputError(
                f"the compiled engine for {kind} does not compute what PyTorch does on this machine"
                f" (one weight in 1,000 is off by {np.quantile(far, 0.999):.1e} after"
                f" {IMAGES * EPOCHS} steps, expected at most {TOLERANCE:.0e}):"
                " use --engine reference, and please report it"
            )


def _recipes(kind: Kind) -> Iterator[Recipe]:
    """Two for every kind: between them, what a recipe can ask of it."""
    if kind.optimizer == "adamw":
        first = LADDER["adamw"]
        second = replace(LADDER["dropout_relu"], ema=0.9, label_smoothing=0.1)
    else:
        momentum = 0.9 if kind.optimizer == "momentum" else 0.0
        first = replace(LADDER["1989"], momentum=momentum)
        second = replace(LADDER["ce"], momentum=momentum, shift=2, shift_fill="background")
        second = replace(second, dropout=0.25, ema=0.9)
    for recipe in (first, second):
        lr = recipe.lr / kind.width / 10  # training that does not double its rounding errors
        yield replace(recipe, activation=kind.activation, epochs=EPOCHS, lr=lr)


def _distances(kind: Kind, kernels: Kernels, recipe: Recipe) -> NDArray[np.float64]:
    """How far each weight is from the reference's."""
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
                raise InputError(f"the compiled engine for {kind}: {broken} on fixed examples")
    ours, theirs = fast.weights(), slow.weights()
    return np.concatenate([np.abs(ours[name] - theirs[name]).ravel() for name in theirs])
