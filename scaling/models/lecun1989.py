"""The 1989 network as a PyTorch module, at any width and with later additions.

Shapes: B images; P planes (12 at width 1) in three groups; S planes that an H2 plane sees; H units
of H3; U inputs of H3.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812  the usual name
from torch import Tensor, nn

from scaling.models.architecture import BACKGROUND, N_CLASSES, PADDING, STRIDE, TWIST, Architecture
from scaling.models.weights import Weights, seen_planes
from scaling.recipes.recipe import Recipe


def scaled_tanh(x: Tensor) -> Tensor:
    """Return a tanh with values +-1 at +-1, its points of greatest curvature.

    Source: LeCun et al. 1989, section 3.3.
    """
    return 1.7159 * torch.tanh(2 / 3 * x)


def twisted_tanh(x: Tensor) -> Tensor:
    """Return `scaled_tanh` with a linear term, so that it is never flat.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.4.
    """
    return scaled_tanh(x) + TWIST * x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": nn.Identity(),
    "tanh": torch.tanh,
    "relu": torch.relu,
    "scaled_tanh": scaled_tanh,
    "twisted_tanh": twisted_tanh,
    "gelu": F.gelu,  # the exact one, by the error function
}


class Classifier(nn.Module):
    """A module that engines train: forward(x_BHW, keep_BU=None) returns outputs (B, 10)."""

    dropped_units: int  # U: the values that dropout acts on


class Network(Classifier):
    """Two convolutions with a bias for every unit, two fully connected layers.

    An H2 plane sees two of the three groups of H1 planes, (0, 1), (1, 2) or (0, 2); with `cyclic`
    connections it sees as many successive planes, beginning with that of its own number.
    A normalization acts on a layer's sums before gain and bias; `weight` acts on the weights.
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
        self.recipe = recipe
        self.group = architecture.group
        self.dropped_units = architecture.dropped_units
        self.activation = ACTIVATIONS[recipe.activation]
        self.output = ACTIVATIONS[recipe.output]
        for name, values in weights.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values)))
        self.cyclic: Tensor | None
        seen_PS = torch.from_numpy(seen_planes(architecture, recipe.connections))
        self.register_buffer(
            "cyclic", seen_PS if recipe.connections == "cyclic" else None, persistent=False
        )
        if recipe.norm == "batch":
            for layer in ("h1", "h2", "h3"):
                size = len(self.get_parameter(f"{layer}_gain"))
                self.register_buffer(f"{layer}_mean", torch.zeros(size))
                self.register_buffer(f"{layer}_variance", torch.ones(size))

    def forward(self, x_BHW: Tensor, keep_BU: Tensor | None = None) -> Tensor:
        """Return outputs (B, 10) of images (B, 16, 16); `keep_BU` scales H3's inputs (dropout)."""
        h1 = self.activation(self._normed("h1", x_BHW[:, None]) + self.h1_bias)
        sums = self._normed("h2", h1) + self.h2_bias
        if self.recipe.residual:  # H1 has as many planes, at twice the resolution
            sums = sums + F.avg_pool2d(h1, STRIDE)
        h2 = self.activation(sums).flatten(start_dim=1)
        if keep_BU is not None:
            h2 = h2 * keep_BU
        h3 = self.activation(self._normed("h3", h2) + self.h3_bias)
        z: Tensor = self.output(self._normed("output", h3) + self.output_bias)
        return z

    def sums(self, layer: str, x: Tensor, weight: Tensor, background: float = BACKGROUND) -> Tensor:
        """Return a layer's sums before the biases: linear in `x` and in `weight`."""
        if layer in ("h3", "output"):
            return x @ weight
        x = F.pad(x, (PADDING,) * 4, value=background)  # beyond the edge of every map
        if layer == "h1":
            return F.conv2d(x, weight, stride=STRIDE)
        if self.cyclic is not None:
            seen = x[:, self.cyclic.flatten()]
            return F.conv2d(seen, weight, stride=STRIDE, groups=len(weight))
        first, second, third = x.split(self.group, dim=1)
        pairs = ((first, second), (second, third), (first, third))
        kernels = weight.split(self.group)
        planes = [
            F.conv2d(torch.cat(pair, dim=1), kernel, stride=STRIDE)
            for pair, kernel in zip(pairs, kernels, strict=True)
        ]
        return torch.cat(planes, dim=1)

    def _normed(self, layer: str, x: Tensor) -> Tensor:
        """Return a layer's sums after its normalization and gain."""
        norm, weight = self.recipe.norm, getattr(self, f"{layer}_weight")
        if norm == "weight":  # Salimans & Kingma 2016 (arXiv 1602.07868), equation 2
            gain = getattr(self, f"{layer}_gain")
            if weight.dim() == 2:  # (inputs, outputs)
                return self.sums(layer, x, weight * (gain / weight.norm(dim=0)))
            length = weight.flatten(1).norm(dim=1)[:, None, None]
            return self.sums(layer, x, weight * (gain / length)[:, None])
        sums = self.sums(layer, x, weight)
        if norm == "none" or layer == "output":
            return sums
        if norm == "batch":
            running = getattr(self, f"{layer}_mean"), getattr(self, f"{layer}_variance")
            sums = F.batch_norm(sums, *running, training=self.training)
        elif norm == "group" and layer != "h3":
            sums = F.group_norm(sums, 3)  # the network's own three groups of planes
        else:
            sums = F.layer_norm(sums, sums.shape[1:])
        scaled: Tensor = sums * getattr(self, f"{layer}_gain")
        return scaled


def loss_of(
    recipe: Recipe, z_B10: Tensor, y_B: Tensor, smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Return the mean loss over examples; the squared error is also a mean over the 10 outputs.

    Targets of the squared error are -1 and 1. `smoothing` is the part of each target that all
    classes share in training. With the reduction "none" the result has a loss per example, (B,).
    """
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(z_B10, y_B, label_smoothing=smoothing, reduction=reduction)
    target_B10 = F.one_hot(y_B, N_CLASSES).to(z_B10.dtype) * (1 - smoothing) + smoothing / N_CLASSES
    errors_B10 = F.mse_loss(z_B10, target_B10 * 2 - 1, reduction="none")
    return errors_B10.mean(dim=1) if reduction == "none" else errors_B10.mean()
