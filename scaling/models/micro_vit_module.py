"""The micro-ViT as a PyTorch module.

Shapes: B images; T patches; D values of a patch; H heads; U inputs of the classifier.
"""

import torch
import torch.nn.functional as F  # noqa: N812  the usual name
from torch import Tensor, nn

from scaling.models.lecun1989 import ACTIVATIONS, Classifier
from scaling.models.micro_vit import (
    BLOCKS,
    HEADS,
    PATCH_COLUMNS,
    PATCH_ROWS,
    PATCHES,
    PIXELS,
    MicroViT,
)
from scaling.models.weights import Weights
from scaling.recipes.recipe import Recipe


class MicroViTModule(Classifier):
    """Blocks of attention and of a small network, each with normalization and a residual sum."""

    position: Tensor

    def __init__(self, architecture: MicroViT, recipe: Recipe, weights: Weights) -> None:
        super().__init__()
        self.dropped_units = architecture.dropped_units
        self.heads = HEADS * round(architecture.width)
        self.activation = ACTIVATIONS[recipe.activation]
        self.output = ACTIVATIONS[recipe.output]
        for name, values in weights.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values)))

    def forward(self, x_BHW: Tensor, keep_BU: Tensor | None = None) -> Tensor:
        """Return outputs (B, 10) of images (B, 16, 16); `keep_BU` scales the last inputs."""
        rows, columns = x_BHW.shape[1] // PATCH_ROWS, x_BHW.shape[2] // PATCH_COLUMNS
        patches = x_BHW.reshape(-1, rows, PATCH_ROWS, columns, PATCH_COLUMNS).transpose(2, 3)
        x_BTD = self._linear("patch", patches.reshape(-1, PATCHES, PIXELS))
        x_BTD = x_BTD + self.position
        for b in range(BLOCKS):
            x_BTD = x_BTD + self._attention(f"block{b}", self._norm(f"block{b}_norm1", x_BTD))
            wide = self._linear(f"block{b}_widen", self._norm(f"block{b}_norm2", x_BTD))
            x_BTD = x_BTD + self._linear(f"block{b}_narrow", self.activation(wide))
        features_BU = self._norm("norm", x_BTD).flatten(1)
        if keep_BU is not None:
            features_BU = features_BU * keep_BU
        z: Tensor = self.output(self._linear("output", features_BU))
        return z

    def _attention(self, block: str, x_BTD: Tensor) -> Tensor:
        qkv = self._linear(f"{block}_qkv", x_BTD).unflatten(2, (3, self.heads, -1))
        q_BHTE, k_BHTE, v_BHTE = qkv.permute(2, 0, 3, 1, 4)
        scores = q_BHTE @ k_BHTE.transpose(-1, -2) / q_BHTE.shape[-1] ** 0.5
        mixed = scores.softmax(dim=-1) @ v_BHTE
        return self._linear(f"{block}_mix", mixed.transpose(1, 2).flatten(2))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        # Not get_parameter: under torch.func a parameter may be any tensor.
        sums: Tensor = x @ getattr(self, f"{name}_weight") + getattr(self, f"{name}_bias")
        return sums

    def _norm(self, name: str, x_BTD: Tensor) -> Tensor:
        gain, bias = getattr(self, f"{name}_gain"), getattr(self, f"{name}_bias")
        normed_BTD: Tensor = F.layer_norm(x_BTD, x_BTD.shape[-1:], gain, bias)
        return normed_BTD
