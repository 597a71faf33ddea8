"""Muon: steps along the nearest orthogonal matrix, for the weights between the outer layers.

Kernels are taken as matrices (planes, inputs). Everything else learns by AdamW, at the same
learning rate and weight decay, for which Muon's steps are brought to the size of AdamW's.

The arithmetic is that of torch.optim.Muon, but in float32 where that has bfloat16: the gradient of
one example is a matrix of rank one, and the singular values of its rounding grow 500-fold on the
way to an orthogonal one. In bfloat16 the error was longer than the step, 1.1 against 0.7, and
engines did not agree; in float32 it is 3e-5 (measured, H3 at width 1).

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025 (arXiv 2502.16982)
for the size of the steps.

Shapes: K matrices of R rows and C columns.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# PyTorch's defaults, from the first source: the decay of the mean gradient, from which the step
# looks ahead as Nesterov's; coefficients and number of the Newton-Schulz turns; the least length.
MOMENTUM, COEFFICIENTS, TURNS, SHORTEST = 0.95, (3.4445, -4.7750, 2.0315), 5, 1e-7
RMS = 0.2  # of AdamW's steps: the second source, section 2.2


def hidden_matrices(names: Iterable[str]) -> list[str]:
    """Which parameters Muon moves, of a module's in their order: weights but the first and last."""
    weights = [name for name in names if name.endswith("_weight")]
    return weights[1:-1]


def orthogonal(matrices_KRC: Tensor) -> Tensor:
    """Each matrix with its singular values all brought near 1, by turns of a quintic polynomial."""
    a, b, c = COEFFICIENTS
    x = matrices_KRC
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=SHORTEST)
    for _ in range(TURNS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def step_size(rows: int, columns: int) -> float:
    """What multiplies the learning rate, so that a step is about as long as one of AdamW."""
    return float(RMS * max(rows, columns) ** 0.5)


class MuonAndAdamW(torch.optim.AdamW):
    """For one module: AdamW, and Muon for the hidden matrices that learn."""

    def __init__(self, module: nn.Module, lr: float, weight_decay: float) -> None:
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        hidden = hidden_matrices(dict(module.named_parameters()))
        self._matrices = [named.pop(name) for name in hidden if name in named]
        self.means = [torch.zeros_like(matrix) for matrix in self._matrices]
        super().__init__(named.values(), lr=lr, weight_decay=weight_decay, fused=True)

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for matrix in self._matrices:
            matrix.grad = None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        super().step(closure)
        (rates,) = self.param_groups
        for matrix, mean in zip(self._matrices, self.means, strict=True):
            assert matrix.grad is not None
            mean.lerp_(matrix.grad, 1 - MOMENTUM)
            ahead = matrix.grad.lerp(mean, MOMENTUM).flatten(1)
            matrix.mul_(1 - rates["lr"] * rates["weight_decay"])
            along = orthogonal(ahead[None])[0].view_as(matrix)
            matrix.sub_(along, alpha=rates["lr"] * step_size(*ahead.shape))
