"""Muon: steps along the nearest orthogonal matrix, for the weights between the outer layers.

Kernels are taken as matrices (planes, inputs). Everything else learns by AdamW, at the same
learning rate and weight decay, for which Muon's steps are brought to the size of AdamW's.

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025 (arXiv 2502.16982)
for the size of the steps.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

STEP_SIZE = "match_rms_adamw"  # PyTorch's name for it


def hidden_matrices(names: Iterable[str]) -> list[str]:
    """Which parameters Muon moves, of a module's in their order: weights but the first and last."""
    weights = [name for name in names if name.endswith("_weight")]
    return weights[1:-1]


class MuonAndAdamW:
    """PyTorch's two optimizers as one, over the parameters that learn."""

    def __init__(self, module: nn.Module, lr: float, weight_decay: float) -> None:
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        matrices = [n for n in hidden_matrices(dict(module.named_parameters())) if n in named]
        self._kernels = [named.pop(name) for name in matrices]
        self._matrices = [nn.Parameter(kernel.detach().flatten(1)) for kernel in self._kernels]
        rates: Mapping[str, float] = {"lr": lr, "weight_decay": weight_decay}
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(named.values(), fused=True, **rates)
        ]
        if matrices:  # of the same memory as the kernels
            muon = torch.optim.Muon(self._matrices, adjust_lr_fn=STEP_SIZE, **rates)
            self._parts.append(muon)
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def zero_grad(self) -> None:
        for part in self._parts:
            part.zero_grad()
        for kernel in self._kernels:
            kernel.grad = None

    def step(self) -> None:
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            assert kernel.grad is not None
            matrix.grad = kernel.grad.flatten(1)
        for part in self._parts:
            part.step()
