"""The 1989 network as a PyTorch module, at any width.

Shapes: B images; P planes (12 at width 1) in three groups of G; H units of H3.
"""

import torch
import torch.nn.functional as F  # noqa: N812  everybody's name for it
from torch import Tensor, nn

from scaling.architecture import BACKGROUND, N_CLASSES, PADDING, STRIDE, Architecture
from scaling.recipe import Recipe
from scaling.weights import Weights


def scaled_tanh(x: Tensor) -> Tensor:
    """Source: LeCun et al. 1989, section 3.3: +-1 are its values at +-1, where it bends most."""
    return 1.7159 * torch.tanh(2 / 3 * x)


ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "scaled_tanh": scaled_tanh,
    "gelu": F.gelu,  # the exact one, by the error function
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
        self.activation = ACTIVATIONS[recipe.activation]
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


def build_network(architecture: Architecture, recipe: Recipe, weights: Weights) -> nn.Module:
    """The module of a cell: forward(x_BHW, keep_BU=None) -> z_B10, parameters named as weights."""
    return Network(architecture, recipe, weights)


def _convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """Beyond the edge of every map lies background."""
    return F.conv2d(F.pad(x, (PADDING,) * 4, value=BACKGROUND), kernel, stride=STRIDE)


def loss_of(recipe: Recipe, z_B10: Tensor, y_B: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over examples; the squared error also averages over the 10 outputs, targets -1 and 1.

    `smoothing` is the part of each target that all classes share, in training.
    """
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(z_B10, y_B, label_smoothing=smoothing)
    right = F.one_hot(y_B, N_CLASSES).to(z_B10.dtype) * (1 - smoothing) + smoothing / N_CLASSES
    target = right * 2 - 1
    return F.mse_loss(z_B10, target)
