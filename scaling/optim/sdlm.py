"""The paper's own second-order method: a learning rate for each weight, by its curvature.

Stochastic gradient descent whose step for weight i is lr / (damping + h_i), h_i being the diagonal
of the Gauss-Newton matrix of the loss, averaged over a few hundred training images and estimated
anew for each epoch. The diagonal is carried back as gradients are, with all weights, values and
slopes squared, so off-diagonal terms are left out layer by layer.

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
DAMPING = 0.02  # LeCun et al. 1998, "Gradient-based learning", appendix C; of a loss of this size


def rate_scales(network: Network, examples: Examples) -> Weights:
    """What multiplies the learning rate of each weight, from the first of the examples."""
    first = examples.first(IMAGES)
    diagonal = curvature(network, torch.from_numpy(first.x).to(network.h1_weight.device))
    return {name: (1 / (DAMPING + h)).cpu().numpy() for name, h in diagonal.items()}


def curvature(network: Network, x_BHW: Tensor) -> dict[str, Tensor]:
    """The diagonal for every weight, mean over the images; labels do not bear on it.

    Only for the plain network: without normalization, residuals and dropout.
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
    carried = _of_the_loss(network.recipe, value)  # by what the outputs are
    for layer in ("output", "h3", "h2", "h1"):
        carried = carried.view_as(slopes[layer]) * slopes[layer] ** 2  # by what a unit sums up
        found[f"{layer}_bias"] = carried.sum(dim=0)
        weight = weights[f"{layer}_weight"].detach() ** 2
        pair = (inputs[layer] ** 2).requires_grad_(), weight.requires_grad_()
        # The sums are linear in both, so their gradients at the squares carry the diagonal back.
        sums = network.sums(layer, *pair, background=BACKGROUND**2)
        carried, found[f"{layer}_weight"] = torch.autograd.grad(sums, pair, carried)
    return {name: found[name] / len(x_BHW) for name in weights}


def _of_the_loss(recipe: Recipe, outputs_B10: Tensor) -> Tensor:
    """Second derivatives of an example's loss by its outputs (B, 10), as `loss_of` defines it."""
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
