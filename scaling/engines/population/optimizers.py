"""The optimizers of K members: each at its own rates, all weights of all members at once.

The arithmetic is that of PyTorch's SGD and AdamW, and of scaling/optim/muon.py.

Shapes: K members; W weights; with Muon, the last V weights are Muon's.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from scaling.optim.muon import MOMENTUM, hidden_matrices, orthogonalize, step_size
from scaling.recipes.recipe import Recipe
from scaling.study import Member

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # PyTorch's defaults; Kingma & Ba 2014 (arXiv 1412.6980)


def learning_names(recipe: Recipe, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the parameters that learn: those updated otherwise, and those updated by Muon."""
    last = hidden_matrices(names) if recipe.optimizer == "muon" else []
    able = [name for name in names if recipe.trainable == "all" or name.startswith("output")]
    return [n for n in able if n not in last], [n for n in able if n in last]


class Optimizer:
    """The optimizer of K members; all its state is in tensors, so that a step can be replayed.

    `scales_KW`, if the recipe needs it, multiplies the member's learning rate for each weight.
    """

    def __init__(
        self,
        recipe: Recipe,
        members: Sequence[Member],
        flat_KW: Tensor,
        matrices: Sequence[torch.Size],
    ) -> None:
        """Initialize for weights that end with those of `matrices`, which Muon updates."""
        self._recipe, self._members, self._matrices = recipe, tuple(members), matrices
        self._lr_K1 = torch.empty_like(flat_KW[:, :1])
        self._shrink_K1 = torch.empty_like(self._lr_K1)
        self.scales_KW = torch.ones_like(flat_KW) if recipe.optimizer == "sdlm" else None
        muon = sum(map(prod, matrices))
        self._split = [flat_KW.shape[1] - muon, muon]
        zeros = [torch.zeros_like(part) for part in flat_KW.split(self._split, dim=1)]
        self.state: list[Tensor] = []
        if recipe.optimizer in ("adamw", "muon"):
            # Mean and mean square of the gradient; number of steps (exact in float32 to 2**24).
            self.state = [zeros[0], zeros[0].clone(), flat_KW.new_zeros(())]
        elif recipe.momentum:
            self.state = [zeros[0]]
        if matrices:
            self.state.append(zeros[1])

    def begin(self, epoch: int) -> None:
        """Set the learning rates of an epoch, counted from 1."""
        factor = self._recipe.lr_factor(epoch - 1)
        rates = [(m.lr * factor, m.lr * factor * m.weight_decay) for m in self._members]
        lr_K1, decay_K1 = torch.tensor(rates, dtype=torch.float64).split(1, dim=1)
        self._lr_K1.copy_(lr_K1)
        self._shrink_K1.copy_(1 - decay_K1)

    @torch.no_grad()
    def step(self, flat_KW: Tensor, gradient_KW: Tensor) -> None:
        """Change the weights in place."""
        if self.scales_KW is not None:
            gradient_KW = gradient_KW * self.scales_KW
        if self._recipe.optimizer in ("sgd", "sdlm"):
            self._sgd(flat_KW, gradient_KW)
            return
        weights, gradients = (v.split(self._split, dim=1) for v in (flat_KW, gradient_KW))
        self._adamw(weights[0], gradients[0])
        if self._matrices:
            self._muon(weights[1], gradients[1])

    def subset(self, live_K: Tensor) -> "Optimizer":
        """Return the optimizer of the members where `live_K` is true."""
        members = [m for m, live in zip(self._members, live_K.tolist(), strict=True) if live]
        width = sum(self._split)
        flat_KW = self._lr_K1[live_K].expand(-1, width)
        kept = Optimizer(self._recipe, members, flat_KW, self._matrices)
        kept.state = [value[live_K] if value.dim() else value for value in self.state]
        return kept

    def _sgd(self, flat_KW: Tensor, gradient_KW: Tensor) -> None:
        """Step by SGD with undamped momentum. Source: Sutskever et al. 2013."""
        if self.state:
            (velocity_KW,) = self.state
            gradient_KW = velocity_KW.mul_(self._recipe.momentum).add_(gradient_KW)
        flat_KW.addcmul_(gradient_KW, self._lr_K1, value=-1)

    def _adamw(self, flat_KW: Tensor, gradient_KW: Tensor) -> None:
        """Step by AdamW. Source: Loshchilov & Hutter 2017 (arXiv 1711.05101)."""
        mean_KW, square_KW, steps = self.state[:3]
        mean_KW.lerp_(gradient_KW, 1 - BETA1)
        square_KW.mul_(BETA2).addcmul_(gradient_KW, gradient_KW, value=1 - BETA2)
        done = steps.add_(1).double()  # near 1, powers lose too many digits in float32
        rate_K1 = self._lr_K1 / (1 - BETA1**done)
        scale_KW = square_KW.sqrt().div_((1 - BETA2**done).sqrt()).add_(EPSILON)
        flat_KW.mul_(self._shrink_K1).sub_(torch.div(mean_KW, scale_KW, out=scale_KW).mul_(rate_K1))

    def _muon(self, flat_KV: Tensor, gradient_KV: Tensor) -> None:
        mean_KV = self.state[3].lerp_(gradient_KV, 1 - MOMENTUM)
        ahead_KV = gradient_KV.lerp(mean_KV, MOMENTUM)
        flat_KV.mul_(self._shrink_K1)
        start = 0
        for shape in self._matrices:
            rows, columns = shape[0], prod(shape[1:])
            at = slice(start, start + rows * columns)
            direction_KV = orthogonalize(ahead_KV[:, at].unflatten(1, (rows, columns))).flatten(1)
            rate_K1 = self._lr_K1 * step_size(rows, columns)
            flat_KV[:, at].addcmul_(direction_KV, rate_K1, value=-1)
            start = at.stop
