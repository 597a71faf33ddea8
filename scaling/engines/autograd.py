"""One epoch of training by plain PyTorch autograd.

Shapes: B images of a batch, U inputs of H3.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from scaling.data.augment import present
from scaling.data.counter_rng import keep_mask, presentation_keys, shifts
from scaling.data.selection import Examples, shift_images
from scaling.models.lecun1989 import Classifier, Network, loss_of
from scaling.models.weights import Weights
from scaling.optim.sdlm import rate_scales as curvature_scales
from scaling.recipes.recipe import Recipe
from scaling.study import Member


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
    """Train for one pass over the examples in their constant order; `epoch` counts from 1.

    `averaged` follows the weights if the recipe averages them; `rate_scales` multiplies gradients.
    """
    device = device_of(model)
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = member.lr * recipe.lr_factor(epoch - 1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if recipe.optimizer == "sdlm":
        assert isinstance(model, Network)
        rate_scales = curvature_scales(model, examples)
    scales = _scale_tensors(model, rate_scales) if rate_scales else None
    keys = presentation_keys(member.seed, (epoch - 1) * len(examples), len(examples))
    shown = present(examples, recipe, keys)
    x = torch.from_numpy(_shift(shown.x, recipe, keys)).to(device)
    y = torch.from_numpy(shown.y).long().to(device)
    other = torch.from_numpy(shown.other).long().to(device)
    share = torch.from_numpy(shown.share).to(device)
    for start in range(0, len(examples), recipe.batch_size):
        batch = slice(start, start + recipe.batch_size)
        keep = _dropout_factors(model, recipe, keys[batch])
        z = model(x[batch], keep)
        loss = loss_of(recipe, z, y[batch], recipe.label_smoothing)
        if recipe.mixup:
            by = partial(loss_of, recipe, z, smoothing=recipe.label_smoothing, reduction="none")
            loss = (share[batch] * by(y[batch]) + (1 - share[batch]) * by(other[batch])).mean()
        optimizer.zero_grad()
        loss.backward()
        if scales:
            for parameter, scale in zip(parameters, scales, strict=True):
                assert parameter.grad is not None
                parameter.grad.mul_(scale)
        optimizer.step()
        if recipe.ema and averaged:
            _update_average(averaged, model, recipe.ema)


def _shift(
    x_NHW: NDArray[np.float32], recipe: Recipe, keys_N: NDArray[np.uint32]
) -> NDArray[np.float32]:
    if not recipe.shift:
        return x_NHW
    return shift_images(x_NHW, *shifts(keys_N, recipe.shift), recipe.shift_fill)


def _dropout_factors(
    model: Classifier, recipe: Recipe, keys_B: NDArray[np.uint32]
) -> torch.Tensor | None:
    """Return 0 for dropped units, 1 / (1 - rate) for the others, (B, U); None without dropout."""
    if not recipe.dropout:
        return None
    keep_BU = keep_mask(keys_B, model.dropped_units, recipe.dropout)
    scaled = keep_BU.astype(np.float32) / np.float32(1 - recipe.dropout)
    return torch.from_numpy(scaled).to(device_of(model))


def _scale_tensors(model: Classifier, scales: Weights) -> list[torch.Tensor]:
    """Return the factor of each gradient, in the order of the parameters that learn."""
    return [
        torch.from_numpy(scales[name]).to(parameter.device)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]


def _update_average(averaged: Classifier, model: Classifier, decay: float) -> None:
    """Move the averaged weights, which begin as the initial ones, towards those of this step.

    Running statistics are averages already, so they are copied.
    """
    with torch.no_grad():
        for average, value in zip(averaged.parameters(), model.parameters(), strict=True):
            average.lerp_(value, 1 - decay)
        for average_buffer, buffer in zip(averaged.buffers(), model.buffers(), strict=True):
            average_buffer.copy_(buffer)


def device_of(model: Classifier) -> torch.device:
    """Return the device of a model's parameters."""
    return next(model.parameters()).device
