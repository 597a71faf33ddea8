"""The reference: plain PyTorch autograd, one model at a time. Other engines are judged by it.

Shapes: B images of a batch, U inputs of H3.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.data.augment import present
from scaling.data.counter_rng import keep_mask, presentation_keys, shifts
from scaling.data.selection import Dataset, Examples, select, shift_images
from scaling.engines.optimizer_state import load_optimizer, optimizer_arrays
from scaling.engines.result import Evaluation, NumericFailure, Score, Trained
from scaling.engines.saved import Arrays, Keeper
from scaling.engines.training import train_model
from scaling.errors import InputError
from scaling.models.build import build_network
from scaling.models.lecun1989 import Classifier, Network, loss_of
from scaling.models.registry import initial_weights
from scaling.models.weights import Weights
from scaling.optim.muon import MuonAndAdamW
from scaling.optim.sdlm import rate_scales as rate_scales_of
from scaling.recipes.recipe import Recipe
from scaling.study import Cell, Member

ENGINE = "reference"
EVALUATION_BATCH = 1000  # fixed: the order of the sums is part of the result


def check_device(device: str) -> None:
    """Raises InputError for a device that this machine lacks."""
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
    keeper: Keeper | None = None,
) -> Trained | NumericFailure:
    """Train one model, from random weights or from `start`.

    The result depends on these arguments, and on nothing before it; with a `keeper` it comes about
    in several goes.
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
            keeper=keeper,
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
        """`rate_scales` multiplies the gradient of each weight, for plain SGD."""
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
        with _light_convolutions():
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
        """Copies of weights, running statistics, their average and the optimizer's memory."""
        found = {name: value.cpu().numpy().copy() for name, value in self._tensors().items()}
        return found | dict(optimizer_arrays(self._optimizer))

    def restore(self, state: Arrays) -> None:
        """Take those up again."""
        for name, value in self._tensors().items():
            value.copy_(torch.from_numpy(state[name]))
        load_optimizer(self._optimizer, state)

    def _tensors(self) -> dict[str, torch.Tensor]:
        """What training changes in the networks, by names of their own."""
        found = {f"network.{k}": v for k, v in self._network.state_dict().items()}
        if self._averaged is not self._network:
            found |= {f"averaged.{k}": v for k, v in self._averaged.state_dict().items()}
        return found


def train_epoch(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    examples: Examples,
    recipe: Recipe,
    member: Member,
    epoch: int,
    averaged: Classifier | None = None,
    rate_scales: Weights | None = None,
) -> None:
    """One pass over the examples in their constant order; `epoch` counts from 1.

    `averaged` follows the weights where the recipe says so; `rate_scales` multiplies the gradients.
    """
    device = _device(model)
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = member.lr * recipe.lr_factor(epoch - 1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if recipe.optimizer == "sdlm":
        rate_scales = _curvature_scales(model, examples)
    scales = _by_parameter(model, rate_scales) if rate_scales else None
    keys = presentation_keys(member.seed, (epoch - 1) * len(examples), len(examples))
    shown = present(examples, recipe, keys)
    x = torch.from_numpy(_augmented(shown.x, recipe, keys)).to(device)
    y = torch.from_numpy(shown.y).long().to(device)
    other = torch.from_numpy(shown.other).long().to(device)
    share = torch.from_numpy(shown.share).to(device)
    for start in range(0, len(examples), recipe.batch_size):
        batch = slice(start, start + recipe.batch_size)
        keep = _dropout(model, recipe, keys[batch])
        z = model(x[batch], keep)
        loss = loss_of(recipe, z, y[batch], recipe.label_smoothing)
        if recipe.mixup:
            of = partial(loss_of, recipe, z, smoothing=recipe.label_smoothing, reduction="none")
            loss = (share[batch] * of(y[batch]) + (1 - share[batch]) * of(other[batch])).mean()
        optimizer.zero_grad()
        loss.backward()
        if scales:
            for parameter, scale in zip(parameters, scales, strict=True):
                assert parameter.grad is not None
                parameter.grad.mul_(scale)
        optimizer.step()
        if recipe.ema and averaged:
            _follow(averaged, model, recipe.ema)


def evaluate(model: Classifier, examples: Examples, recipe: Recipe) -> Score:
    """Mean loss and misses: a pure function of model and examples."""
    loss, misses = 0.0, 0
    for z, y in _outputs(model, examples):
        loss += float(loss_of(recipe, z, y)) * len(y)
        misses += int((z.argmax(dim=1) != y).sum())
    return Score(loss=loss / len(examples), misses=misses, n=len(examples))


def predict(model: Classifier, examples: Examples) -> NDArray[np.uint8]:
    """The class of the largest output for each example, shape (N,)."""
    classes = [z.argmax(dim=1).cpu().numpy() for z, _ in _outputs(model, examples)]
    return np.concatenate(classes).astype(np.uint8)


def _outputs(model: Classifier, examples: Examples) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    device = _device(model)
    model.eval()
    with torch.no_grad():
        for start in range(0, len(examples), EVALUATION_BATCH):
            batch = slice(start, start + EVALUATION_BATCH)
            x = torch.from_numpy(examples.x[batch]).to(device)
            yield model(x), torch.from_numpy(examples.y[batch]).long().to(device)


def _augmented(
    x_NHW: NDArray[np.float32], recipe: Recipe, keys_N: NDArray[np.uint32]
) -> NDArray[np.float32]:
    if not recipe.shift:
        return x_NHW
    return shift_images(x_NHW, *shifts(keys_N, recipe.shift), recipe.shift_fill)


def _dropout(model: Classifier, recipe: Recipe, keys_B: NDArray[np.uint32]) -> torch.Tensor | None:
    """0 for what is dropped, 1 / (1 - rate) for what stays."""
    if not recipe.dropout:
        return None
    keep_BU = keep_mask(keys_B, model.dropped_units, recipe.dropout)
    scaled = keep_BU.astype(np.float32) / np.float32(1 - recipe.dropout)
    return torch.from_numpy(scaled).to(_device(model))


def _optimizer(model: Classifier, recipe: Recipe, member: Member) -> torch.optim.Optimizer:
    if recipe.optimizer == "muon":
        return MuonAndAdamW(model, lr=member.lr, weight_decay=member.weight_decay)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if recipe.optimizer == "adamw":  # fused: the same arithmetic in one call, a third of the time
        return torch.optim.AdamW(
            parameters, lr=member.lr, weight_decay=member.weight_decay, fused=True
        )
    return torch.optim.SGD(parameters, lr=member.lr, momentum=recipe.momentum)


def _curvature_scales(model: Classifier, examples: Examples) -> Weights:
    assert isinstance(model, Network)
    return rate_scales_of(model, examples)


def _by_parameter(model: Classifier, scales: Weights) -> list[torch.Tensor]:
    """What multiplies each gradient, in the order of the parameters that learn."""
    return [
        torch.from_numpy(scales[name]).to(parameter.device)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]


def _device(model: Classifier) -> torch.device:
    return next(model.parameters()).device


def _follow(averaged: Classifier, model: Classifier, decay: float) -> None:
    """Move the averaged weights, which begin as the first ones, towards those of this step.

    Running statistics are averages already.
    """
    with torch.no_grad():
        for average, value in zip(averaged.parameters(), model.parameters(), strict=True):
            average.lerp_(value, 1 - decay)
        for mine, theirs in zip(averaged.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)


def _finite(model: Classifier) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in model.parameters())


@contextmanager
def deterministic() -> Iterator[None]:
    """One thread and full precision, whatever the process has set; as it was afterwards."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")  # NVIDIA's containers begin with TF32
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _light_convolutions() -> Iterator[None]:
    """PyTorch's own convolutions: oneDNN's dispatch takes half of a batch-1 step (measured)."""
    flags: Any = torch.backends.mkldnn
    enabled, flags.enabled = flags.enabled, False
    try:
        yield
    finally:
        flags.enabled = enabled
