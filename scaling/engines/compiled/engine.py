"""The compiled engine's model: one example a step, in order, in a few microseconds a step.

Shapes: N presentations of an epoch, or images to evaluate.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scaling.data.augment import present
from scaling.data.counter_rng import presentation_keys, shifts
from scaling.data.selection import Dataset, Examples, select
from scaling.engines.compiled.kernel_cache import load_kernels
from scaling.engines.compiled.kernels import Kernels, Kind, Memory, Method
from scaling.engines.compiled.layout import Layout, aligned_zeros
from scaling.engines.compiled.objective import Objective, output_values
from scaling.engines.compiled.optimizers import STATE_PER_WEIGHT, choose_update, step_rates
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.engines.saved import Arrays, Checkpointer
from scaling.engines.training import train_model
from scaling.models.architecture import N_CLASSES
from scaling.models.weights import Weights, initial_weights
from scaling.recipes.recipe import Recipe
from scaling.study import Cell, Member

ENGINE = "compiled"


def train_member(
    cell: Cell,
    member: Member,
    data: Dataset,
    *,
    device: str,
    epochs_evaluated: Sequence[int],
    observe: Callable[[Member, Evaluation], None] | None = None,
    start: Weights | None = None,
    checkpointer: Checkpointer | None = None,
) -> Trained | NumericFailure:
    """Train one model from random weights or from `start`, or go on from its checkpoint.

    The result depends on these arguments only.
    """
    chosen = select(
        data, n_train=cell.n_train, n_test=cell.n_test, split=cell.split, seed=member.seed
    )
    return train_model(
        CompiledModel(cell, member, chosen.train, start=start),
        cell,
        member,
        chosen,
        engine=ENGINE,
        device=device,
        epochs_evaluated=epochs_evaluated,
        observe=observe,
        checkpointer=checkpointer,
    )


def kind_of(cell: Cell, *, scaled: bool = False, checked: bool = False) -> Kind:
    """Return the kind of kernels for a cell; `scaled` if each weight has its own learning rate."""
    return Kind(
        width=round(cell.width),
        activation=cell.recipe.activation,
        optimizer=choose_update(cell.recipe, scaled=scaled),
        checked=checked,
    )


def warm_up(cell: Cell) -> None:
    """Compile the kernels of a cell unless this node has them."""
    load_kernels(kind_of(cell))


class CompiledModel:
    """One model's memory, and the compiled functions that change it."""

    def __init__(
        self,
        cell: Cell,
        member: Member,
        examples: Examples,
        *,
        start: Weights | None = None,
        rate_scales: Weights | None = None,
        checked: bool = False,
        kernels: Kernels | None = None,
    ) -> None:
        """Initialize the model; `rate_scales` multiplies each weight's rate, for plain SGD.

        `kernels` are those of the cell's kind; they are loaded if missing.
        """
        recipe = cell.recipe
        assert rate_scales is None or (recipe.optimizer, recipe.momentum) == ("sgd", 0)
        self._kind = kind_of(cell, scaled=rate_scales is not None, checked=checked)
        self._kernels = kernels or load_kernels(self._kind)
        self._recipe, self._member, self._examples = recipe, member, examples
        self._architecture = cell.architecture
        self._layout = Layout(self._kind.width)
        self._memory = Memory.of(self._layout)
        start = start or initial_weights(cell.architecture, recipe, member.seed)
        self._params = self._layout.pack(start)
        self._averaged = self._layout.pack(start) if recipe.ema else self._params
        self._state = (
            aligned_zeros(len(self._params) * STATE_PER_WEIGHT[self._kind.optimizer])
            if rate_scales is None
            else self._layout.pack(rate_scales)
        )

    def load(self, weights: Weights) -> None:
        """Replace the weights by these, in the reference's names and shapes."""
        self._params[:] = self._layout.pack(weights)
        self._averaged[:] = self._params

    def train_epoch(self, epoch: int) -> str | None:
        """Train for one pass over the examples in their constant order; `epoch` counts from 1."""
        recipe, member = self._recipe, self._member
        n = len(self._examples)
        done = (epoch - 1) * n
        keys_N = presentation_keys(member.seed, done, n)
        rows_N, columns_N = shifts(keys_N, recipe.shift)
        shown = present(self._examples, recipe, keys_N)
        lr = member.lr * recipe.lr_factor(epoch - 1)
        if recipe.optimizer == "sdlm":
            self._state[:] = self._layout.pack(self._rate_scales())
        made = self._kernels.train(
            self._params,
            self._state,
            self._averaged,
            shown.x,
            shown.y,
            shown.other,
            shown.share,
            keys_N,
            rows_N,
            columns_N,
            step_rates(recipe, member.weight_decay, lr, done, n),
            Method.of(recipe),
            Objective.of(recipe),
            self._memory,
        )
        if made < n:
            return f"outputs are not finite at step {done + made + 1:,}"
        return None if np.isfinite(self._params).all() else "weights are not finite"

    def score(self, examples: Examples) -> Score:
        """Return mean loss and misses, a pure function of weights and images."""
        z_N10 = self._outputs(examples)
        return Score(
            loss=_mean_loss(self._recipe, z_N10, examples.y),
            misses=int((z_N10.argmax(axis=1) != examples.y).sum()),
            n=len(examples),
        )

    def predict(self, examples: Examples) -> NDArray[np.uint8]:
        """Return the class of the largest output for each example, shape (N,)."""
        predicted: NDArray[np.uint8] = self._outputs(examples).argmax(axis=1).astype(np.uint8)
        return predicted

    def weights(self) -> Weights:
        return self._layout.unpack(self._averaged)

    def state(self) -> Arrays:
        """Return copies of the weights, their average and the optimizer's state, in this layout."""
        return {name: array.copy() for name, array in self._changing().items()}

    def restore(self, state: Arrays) -> None:
        """Restore what `state` returned; each example overwrites the memory between the layers."""
        for name, array in self._changing().items():
            array[:] = state[name]

    def _changing(self) -> dict[str, NDArray[np.float32]]:
        arrays = {"params": self._params, "state": self._state}
        return arrays | ({"averaged": self._averaged} if self._recipe.ema else {})

    def _outputs(self, examples: Examples) -> NDArray[np.float32]:
        z_N10 = np.empty((len(examples), N_CLASSES), np.float32)
        self._kernels.outputs(self._averaged, examples.x, z_N10, self._memory)
        return output_values(self._recipe, z_N10)

    def _rate_scales(self) -> Weights:
        """Return every weight's factor of the rate, from its curvature, computed by PyTorch."""
        from scaling.engines.reference import deterministic
        from scaling.models.lecun1989 import Network
        from scaling.optim.sdlm import rate_scales

        present_weights = self._layout.unpack(self._params)
        network = Network(self._architecture, self._recipe, present_weights)
        with deterministic():  # the number of threads changes the order of sums
            return rate_scales(network, self._examples)


def _mean_loss(recipe: Recipe, z_N10: NDArray[np.float32], y_N: NDArray[np.uint8]) -> float:
    """Return the loss as `loss_of` of scaling/models/lecun1989.py, in double precision."""
    z, right = z_N10.astype(np.float64), np.arange(len(y_N))
    if recipe.loss == "cross_entropy":
        top = z.max(axis=1)
        total = np.exp(z - top[:, None]).sum(axis=1)
        return float((np.log(total) + top - z[right, y_N]).mean())
    target = np.full_like(z, -1)
    target[right, y_N] = 1
    return float(((z - target) ** 2).mean())
