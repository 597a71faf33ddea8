"""The 1989 network as a PyTorch module, at any width.

Shapes: B images; P planes (12 at width 1) in three groups of G; H units of H3.
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  everybody's name for it
from numpy.typing import NDArray
from torch import Tensor, nn

from scaling.architecture import BACKGROUND, KERNEL, N_CLASSES, PADDING, STRIDE, Architecture
from scaling.recipe import Recipe

Weights = dict[str, NDArray[np.float32]]
INIT_TAG = 3  # keeps the stream of the weights apart from those that draw images (data.py)


def initial_weights(architecture: Architecture, recipe: Recipe, seed: int) -> Weights:
    """Every engine's starting point: uniform within 2.4 / sqrt(fan_in), biases 0.

    The paper writes 2.4 / F_i; the square root is the 2022 reproduction's, whose results we compare
    with. Source: LeCun et al. 1989, section 3.3; lecun1989-repro, repro.py.
    """
    h1, h2, h3, _ = architecture.layers
    planes, seen = architecture.planes, 2 * architecture.group
    rng = np.random.default_rng([INIT_TAG, seed])

    def uniform(fan_in: int, *shape: int) -> NDArray[np.float32]:
        return np.asarray(rng.uniform(-1, 1, shape) * 2.4 / fan_in**0.5, np.float32)

    side = architecture.h2_side
    return {
        "h1_weight": uniform(h1.fan_in, planes, 1, KERNEL, KERNEL),
        "h1_bias": np.zeros((planes, 2 * side, 2 * side), np.float32),
        "h2_weight": uniform(h2.fan_in, planes, seen, KERNEL, KERNEL),
        "h2_bias": np.zeros((planes, side, side), np.float32),
        "h3_weight": uniform(h3.fan_in, h3.fan_in, h3.units),
        "h3_bias": np.zeros(h3.units, np.float32),
        "output_weight": uniform(h3.units, h3.units, N_CLASSES),
        "output_bias": np.full(N_CLASSES, recipe.output_bias, np.float32),
    }


class Network(nn.Module):
    """Two convolutions with a bias for every unit, two fully connected layers.

    An H2 plane sees two of the three groups of H1 planes: (0, 1), (1, 2) or (0, 2).
    """

    h1_weight: Tensor
    h1_bias: Tensor
    h2_weight: Tensor
    h2_bias: Tensor
    h3_weight: Tensor
    h3_bias: Tensor
    output_weight: Tensor
    output_bias: Tensor

    def __init__(self, architecture: Architecture, recipe: Recipe, weights: Weights) -> None:
        super().__init__()
        self.group = architecture.group
        self.activation = {"tanh": torch.tanh, "relu": torch.relu}[recipe.activation]
        self.output = torch.tanh if recipe.output == "tanh" else nn.Identity()
        for name, values in weights.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values)))

    def forward(self, x_BHW: Tensor, keep_BU: Tensor | None = None) -> Tensor:
        """Outputs (B, 10) of images (B, 16, 16); `keep_BU` scales the inputs of H3 (dropout)."""
        x = self.activation(_convolve(x_BHW[:, None], self.h1_weight) + self.h1_bias)
        first, second, third = x.split(self.group, dim=1)
        seen = (
            torch.cat(pair, dim=1) for pair in ((first, second), (second, third), (first, third))
        )
        kernels = self.h2_weight.split(self.group)
        planes = [_convolve(pair, kernel) for pair, kernel in zip(seen, kernels, strict=True)]
        x = self.activation(torch.cat(planes, dim=1) + self.h2_bias).flatten(start_dim=1)
        if keep_BU is not None:
            x = x * keep_BU
        x = self.activation(x @ self.h3_weight + self.h3_bias)
        z: Tensor = self.output(x @ self.output_weight + self.output_bias)
        return z


def _convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """Beyond the edge of every map lies background."""
    return F.conv2d(F.pad(x, (PADDING,) * 4, value=BACKGROUND), kernel, stride=STRIDE)


def loss_of(recipe: Recipe, z_B10: Tensor, y_B: Tensor) -> Tensor:
    """Mean over examples; the squared error also averages over the 10 outputs, targets -1 and 1."""
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(z_B10, y_B)
    target = F.one_hot(y_B, N_CLASSES).to(z_B10.dtype) * 2 - 1
    return F.mse_loss(z_B10, target)
