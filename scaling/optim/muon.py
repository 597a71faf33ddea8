"""Muon for the hidden weight matrices, AdamW for all other weights.

Muon steps along the nearest orthogonal matrix; kernels count as matrices (planes, inputs). Both
optimizers share learning rate and weight decay, as Muon's steps are scaled to the size of AdamW's.

The arithmetic is that of torch.optim.Muon, but in float32 instead of bfloat16: the gradient of one
example is a matrix of rank one, and orthogonalization enlarges the singular values of its rounding
error 500-fold. In bfloat16 the error was longer than the step (1.1 against 0.7) and engines
disagreed; in float32 it is 3e-5 (measured, H3 at width 1).

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025 (arXiv 2502.16982)
for the size of the steps.

Shapes: K matrices of R rows and C columns.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# PyTorch's defaults, from the first source: the decay of Nesterov's momentum; coefficients and
# number of the Newton-Schulz iterations; the smallest norm to divide by.
MOMENTUM, COEFFICIENTS, ITERATIONS, MIN_NORM = 0.95, (3.4445, -4.7750, 2.0315), 5, 1e-7
RMS = 0.2  # root mean square of AdamW's steps: the second source, section 2.2


def hidden_matrices(names: Iterable[str]) -> list[str]:
    """Return the parameters that Muon updates: all weights of a module but the first and last."""
    weights = [name for name in names if name.endswith("_weight")]
    return weights[1:-1]


def orthogonalize(matrices_KRC: Tensor) -> Tensor:
    """Return each matrix with all singular values near 1, by iterating a quintic polynomial."""
    a, b, c = COEFFICIENTS
    x = matrices_KRC
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=MIN_NORM)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def step_size(rows: int, columns: int) -> float:
    """Return the factor of the learning rate that makes a step about as long as AdamW's."""
    return float(RMS * max(rows, columns) ** 0.5)


class MuonAndAdamW(torch.optim.AdamW):
    """The optimizer of one module: Muon for the hidden matrices that learn, AdamW for the rest."""

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
            direction = orthogonalize(ahead[None])[0].view_as(matrix)
            matrix.sub_(direction, alpha=rates["lr"] * step_size(*ahead.shape))
