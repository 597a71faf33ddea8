"""The optimizers: the update of a vector of weights, and the rates of each step.

Everything that depends only on the step (schedule, bias correction, decay) is computed beforehand
in double precision; the update receives three numbers a step, whose meaning the optimizer defines.

Shapes: S steps.
"""

from typing import Literal

import numpy as np

from scaling.engines.compiled.lanewise import flush_tiny, square_root
from scaling.engines.compiled.layout import Floats
from scaling.recipes.recipe import Recipe

Update = Literal["sgd", "scaled_sgd", "momentum", "adamw"]

N_RATES = 3
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # PyTorch's defaults; Kingma & Ba 2014 (arXiv 1412.6980)
STATE_PER_WEIGHT: dict[Update, int] = {"sgd": 0, "scaled_sgd": 1, "momentum": 1, "adamw": 2}


def choose_update(recipe: Recipe, *, scaled: bool) -> Update:
    """Return the update that a recipe needs; `scaled` if every weight has its own rate."""
    if recipe.optimizer == "adamw":
        return "adamw"
    if scaled or recipe.optimizer == "sdlm":
        return "scaled_sgd"
    return "momentum" if recipe.momentum else "sgd"


def step_rates(recipe: Recipe, weight_decay: float, lr: float, first: int, count: int) -> Floats:
    """Return the rates of the steps first .. first+count-1 (from 0), shape (S, 3)."""
    rates_S3 = np.zeros((count, N_RATES))
    if recipe.optimizer == "adamw":
        done_S = np.arange(first + 1, first + count + 1)
        rates_S3[:, 0] = lr / (1 - BETA1**done_S)
        rates_S3[:, 1] = 1 - lr * weight_decay
        rates_S3[:, 2] = 1 / np.sqrt(1 - BETA2**done_S)
    else:
        rates_S3[:, 0] = lr
        rates_S3[:, 1] = recipe.momentum
    return rates_S3.astype(np.float32)


def make_update(optimizer, n_params, ops, jit):
    """Return update(params, state, i, gradient, rates): a step of the L weights from i on."""
    load, store = ops.load, ops.store

    @jit
    def sgd(params, state, i, gradient, rates):  # noqa: ARG001
        store(params, i, load(params, i) - rates[0] * gradient)

    @jit
    def scaled_sgd(params, state, i, gradient, rates):
        """Step by SGD; the state holds each weight's factor of the common rate."""
        store(params, i, load(params, i) - rates[0] * load(state, i) * gradient)

    @jit
    def momentum(params, state, i, gradient, rates):
        """Step by PyTorch's SGD with undamped momentum. Source: Sutskever et al. 2013."""
        velocity = flush_tiny(load(state, i) * rates[1] + gradient)
        store(state, i, velocity)
        store(params, i, load(params, i) - rates[0] * velocity)

    @jit
    def adamw(params, state, i, gradient, rates):
        """Step by AdamW. Source: Loshchilov & Hutter 2017 (arXiv 1711.05101)."""
        mean, square = load(state, i), load(state, n_params + i)
        mean = flush_tiny(mean + (gradient - mean) * (1 - BETA1))
        square = flush_tiny(square * BETA2 + gradient * gradient * (1 - BETA2))
        store(state, i, mean)
        store(state, n_params + i, square)
        step = rates[0] * mean / (square_root(square) * rates[2] + EPSILON)
        store(params, i, load(params, i) * rates[1] - step)

    return {"sgd": sgd, "scaled_sgd": scaled_sgd, "momentum": momentum, "adamw": adamw}[optimizer]
