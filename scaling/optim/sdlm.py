"""The paper's second-order method: each weight's learning rate depends on its curvature.

Stochastic gradient descent whose rate for weight i is lr / (damping + h_i), where h_i is the
diagonal of the Gauss-Newton matrix of the loss, averaged over a few hundred training images and
estimated anew for each epoch. The diagonal is propagated back like gradients, with all weights,
values and slopes squared, which neglects off-diagonal terms layer by layer.

Source: LeCun et al. 1989, section 3.3; Becker & LeCun 1988; LeCun et al. 1998, "Efficient
BackProp", section 7.

Shapes: B images.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from scaling.data.selection import Examples
from scaling.models.architecture import BACKGROUND, N_CLASSES
from scaling.models.lecun1989 import Network
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe

IMAGES = 300  # "a few hundred"; assumed
DAMPING = 0.02  # LeCun et al. 1998, "Gradient-based learning", appendix C; for a loss of this scale


def rate_scales(network: Network, examples: Examples) -> Weights:
    """Return the factor of each weight's learning rate, estimated on the first examples."""
    first = examples.first(IMAGES)
    diagonal = curvature(network, torch.from_numpy(first.x).to(network.h1_weight.device))
    return {name: (1 / (DAMPING + h)).cpu().numpy() for name, h in diagonal.items()}


def curvature(network: Network, x_BHW: Tensor) -> dict[str, Tensor]:
    """Return the diagonal for every weight, a mean over the images; it does not depend on labels.

    The network must be plain: without normalization, residuals and dropout.
    """
    inputs: dict[str, Tensor] = {}
    slopes: dict[str, Tensor] = {}
    value, weights = x_BHW[:, None], dict(network.named_parameters())
    with torch.no_grad():
        for layer in ("h1", "h2", "h3", "output"):
            inputs[layer] = value.flatten(1) if layer == "h3" else value
            sums = network.sums(layer, inputs[layer], weights[f"{layer}_weight"])
            sums = sums + weights[f"{layer}_bias"]
            function = network.output if layer == "output" else network.activation
            value, slopes[layer] = _value_and_slope(function, sums)
    found: dict[str, Tensor] = {}
    diagonal = _loss_curvature(network.recipe, value)  # by the outputs
    for layer in ("output", "h3", "h2", "h1"):
        diagonal = diagonal.view_as(slopes[layer]) * slopes[layer] ** 2  # by a unit's sum
        found[f"{layer}_bias"] = diagonal.sum(dim=0)
        weight = weights[f"{layer}_weight"].detach() ** 2
        pair = (inputs[layer] ** 2).requires_grad_(), weight.requires_grad_()
        # The sums are linear in both, so gradients at the squares propagate the diagonal back.
        sums = network.sums(layer, *pair, background=BACKGROUND**2)
        diagonal, found[f"{layer}_weight"] = torch.autograd.grad(sums, pair, diagonal)
    return {name: found[name] / len(x_BHW) for name in weights}


def _loss_curvature(recipe: Recipe, outputs_B10: Tensor) -> Tensor:
    """Return second derivatives of each example's `loss_of` by its outputs (B, 10)."""
    if recipe.loss == "cross_entropy":
        probability = outputs_B10.softmax(dim=1)
        return probability * (1 - probability)
    return torch.full_like(outputs_B10, 2 / N_CLASSES)


def _value_and_slope(function: Callable[[Tensor], Tensor], sums: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        sums = sums.detach().requires_grad_()
        value = function(sums)
        (slope,) = torch.autograd.grad(value.sum(), sums)
    return value.detach(), slope
