"""The reference engine: PyTorch autograd, one model at a time; the standard for other engines."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.data.selection import Dataset, Examples, select
from scaling.engines.autograd import device_of, train_epoch
from scaling.engines.optimizer_state import load_optimizer, optimizer_arrays
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.engines.saved import Arrays, Checkpointer
from scaling.engines.training import train_model
from scaling.errors import InputError
from scaling.models.build import build_network
from scaling.models.lecun1989 import Classifier, loss_of
from scaling.models.registry import initial_weights
from scaling.models.weights import Weights
from scaling.optim.muon import MuonAndAdamW
from scaling.recipes.recipe import Recipe
from scaling.study import Cell, Member

ENGINE = "reference"
EVALUATION_BATCH = 1000  # fixed: the order of the sums is part of the result


def check_device(device: str) -> None:
    """Raise InputError for a device that this machine lacks."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: PyTorch sees no GPU on this machine; use --device cpu")


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
    with deterministic():
        return train_model(
            ReferenceModel(cell, member, chosen.train, device, start=start),
            cell,
            member,
            chosen,
            engine=ENGINE,
            device=device,
            epochs_evaluated=epochs_evaluated,
            observe=observe,
            checkpointer=checkpointer,
        )


class ReferenceModel:
    """A network with its optimizer."""

    def __init__(
        self,
        cell: Cell,
        member: Member,
        examples: Examples,
        device: str,
        start: Weights | None = None,
        rate_scales: Weights | None = None,
    ) -> None:
        """Initialize the model; `rate_scales` multiplies each weight's gradient, for plain SGD."""
        self._recipe, self._member, self._examples = cell.recipe, member, examples
        start = start or initial_weights(cell.sizes, cell.recipe, member.seed)
        self._network = build_network(cell.sizes, cell.recipe, start).to(device)
        if cell.recipe.trainable == "output":
            for name, parameter in self._network.named_parameters():
                parameter.requires_grad_(name.startswith("output"))
        self._optimizer = _optimizer(self._network, cell.recipe, member)
        self._averaged = copy.deepcopy(self._network) if cell.recipe.ema else self._network
        self._rate_scales = rate_scales

    def train_epoch(self, epoch: int) -> str | None:
        with _without_mkldnn():
            train_epoch(
                self._network,
                self._optimizer,
                self._examples,
                self._recipe,
                self._member,
                epoch,
                self._averaged,
                self._rate_scales,
            )
        return None if _finite(self._network) else "weights are not finite"

    def score(self, examples: Examples) -> Score:
        return evaluate(self._averaged, examples, self._recipe)

    def predict(self, examples: Examples) -> NDArray[np.uint8]:
        return predict(self._averaged, examples)

    def weights(self) -> Weights:
        named = self._averaged.named_parameters()
        return {name: value.detach().cpu().numpy() for name, value in named}

    def state(self) -> Arrays:
        """Return copies of weights, running statistics, averages and the optimizer's state."""
        found = {name: value.cpu().numpy().copy() for name, value in self._tensors().items()}
        return found | dict(optimizer_arrays(self._optimizer))

    def restore(self, state: Arrays) -> None:
        """Restore what `state` returned."""
        for name, value in self._tensors().items():
            value.copy_(torch.from_numpy(state[name]))
        load_optimizer(self._optimizer, state)

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Return the tensors that training changes, by name."""
        found = {f"network.{k}": v for k, v in self._network.state_dict().items()}
        if self._averaged is not self._network:
            found |= {f"averaged.{k}": v for k, v in self._averaged.state_dict().items()}
        return found


def evaluate(model: Classifier, examples: Examples, recipe: Recipe) -> Score:
    """Return mean loss and misses, a pure function of model and examples."""
    loss, misses = 0.0, 0
    for z, y in _outputs(model, examples):
        loss += float(loss_of(recipe, z, y)) * len(y)
        misses += int((z.argmax(dim=1) != y).sum())
    return Score(loss=loss / len(examples), misses=misses, n=len(examples))


def predict(model: Classifier, examples: Examples) -> NDArray[np.uint8]:
    """Return the class of the largest output for each example, shape (N,)."""
    classes = [z.argmax(dim=1).cpu().numpy() for z, _ in _outputs(model, examples)]
    return np.concatenate(classes).astype(np.uint8)


def _outputs(model: Classifier, examples: Examples) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    device = device_of(model)
    model.eval()
    with torch.no_grad():
        for start in range(0, len(examples), EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            x = torch.from_numpy(examples.x[batch]).to(device)
            yield model(x), torch.from_numpy(examples.y[batch]).long().to(device)


def _optimizer(model: Classifier, recipe: Recipe, member: Member) -> torch.optim.Optimizer:
    if recipe.optimizer == "muon":
        return MuonAndAdamW(model, lr=member.lr, weight_decay=member.weight_decay)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if recipe.optimizer == "adamw":  # fused: the same arithmetic in one call, a third of the time
        return torch.optim.AdamW(
            parameters, lr=member.lr, weight_decay=member.weight_decay, fused=True
        )
    return torch.optim.SGD(parameters, lr=member.lr, momentum=recipe.momentum)


def _device(model: Classifier) -> torch.device:
    return next(model.parameters()).device


def _finite(model: Classifier) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in model.parameters())


@contextmanager
def deterministic() -> Iterator[None]:
    """Set PyTorch to one thread, full precision and deterministic kernels; undo it afterwards."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")  # NVIDIA's containers enable TF32
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _without_mkldnn() -> Iterator[None]:
    """Disable oneDNN's convolutions: their dispatch takes half of a batch-1 step (measured)."""
    flags: Any = torch.backends.mkldnn
    enabled, flags.enabled = flags.enabled, False
    try:
        yield
    finally:
        flags.enabled = enabled
