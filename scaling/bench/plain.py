"""The baseline: one update per example in plain PyTorch, as a user would write it.

The steps and their order are those of the published loop, with PyTorch's default settings. The
reference engine is already faster.

Shapes: N images; P planes in three groups of G.
Source: Karpathy 2022, lecun1989-repro, repro.py (recipe 1989) and modern.py (dropout_relu).
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the usual name
from torch import Tensor, nn

from scaling.data.selection import Examples
from scaling.models.architecture import BACKGROUND, N_CLASSES, PADDING, STRIDE
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe


class PlainNetwork(nn.Module):
    """The network of one recipe, written out."""

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        super().__init__()
        self.recipe = recipe
        self.activation = {"tanh": torch.tanh, "relu": torch.relu}[recipe.activation]
        self.rng = np.random.default_rng(0)
        self.h1_weight, self.h1_bias = _parameters(weights, "h1")
        self.h2_weight, self.h2_bias = _parameters(weights, "h2")
        self.h3_weight, self.h3_bias = _parameters(weights, "h3")
        self.output_weight, self.output_bias = _parameters(weights, "output")

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (1, 10) of one image (1, 1, 16, 16)."""
        if self.training and self.recipe.shift:
            x = self.shift(x)
        G = len(self.h1_weight) // 3
        x = F.pad(x, (PADDING,) * 4, "constant", BACKGROUND)
        x = self.activation(F.conv2d(x, self.h1_weight, stride=STRIDE) + self.h1_bias)
        x = F.pad(x, (PADDING,) * 4, "constant", BACKGROUND)
        first = F.conv2d(x[:, : 2 * G], self.h2_weight[:G], stride=STRIDE)
        second = F.conv2d(x[:, G:], self.h2_weight[G : 2 * G], stride=STRIDE)
        outer = torch.cat((x[:, :G], x[:, 2 * G :]), dim=1)
        third = F.conv2d(outer, self.h2_weight[2 * G :], stride=STRIDE)
        x = self.activation(torch.cat((first, second, third), dim=1) + self.h2_bias)
        if self.recipe.dropout:
            x = self.drop_out(x)
        x = x.flatten(start_dim=1)
        x = self.activation(x @ self.h3_weight + self.h3_bias)
        x = x @ self.output_weight + self.output_bias
        return torch.tanh(x) if self.recipe.output == "tanh" else x

    def shift(self, x: Tensor) -> Tensor:
        """Return the image shifted at random in both directions, wrapping around."""
        most = self.recipe.shift
        rows, columns = self.rng.integers(-most, most + 1, size=2)
        return torch.roll(x, (int(rows), int(columns)), (2, 3))

    def drop_out(self, x: Tensor) -> Tensor:
        """Return units after dropout with PyTorch's random numbers."""
        return F.dropout(x, p=self.recipe.dropout, training=self.training)


class PlainLoop:
    """A network, an optimizer and their examples, presented one by one."""

    def __init__(self, network: PlainNetwork, examples: Examples) -> None:
        recipe = network.recipe
        self.network = network
        self.optimizer: torch.optim.Optimizer
        if recipe.optimizer == "adamw":
            self.optimizer = torch.optim.AdamW(
                network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
            )
        else:
            self.optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr)
        self.x = torch.from_numpy(examples.x)[:, None]
        labels = torch.from_numpy(examples.y).long()
        self.y = F.one_hot(labels, N_CLASSES).float() * 2 - 1  # targets -1 and 1, as published

    def train_epoch(self) -> None:
        """Train for one pass over the examples at the first epoch's learning rate."""
        self.network.train()
        for step in range(len(self.x)):
            x, y = self.x[[step]], self.y[[step]]
            z = self.network(x)
            if self.network.recipe.loss == "cross_entropy":
                loss = F.cross_entropy(z, y.argmax(dim=1))
            else:
                loss = torch.mean((y - z) ** 2)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()


def _parameters(weights: Weights, layer: str) -> tuple[nn.Parameter, nn.Parameter]:
    """Return copies of the weights and biases of one layer."""
    weight, bias = weights[f"{layer}_weight"], weights[f"{layer}_bias"]
    return nn.Parameter(torch.tensor(weight)), nn.Parameter(torch.tensor(bias))
