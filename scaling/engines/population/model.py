"""K members in training: their weights, images and optimizer, and the operations on them.

Shapes: K members; N images or presentations; B images of a batch; W weights that learn.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling.data.selection import Dataset, Examples
from scaling.engines.population.capture import CapturedStep
from scaling.engines.population.epoch_batches import Batch, EpochBatches
from scaling.engines.population.images import Images, select_all
from scaling.engines.population.network import Networks
from scaling.engines.population.optimizers import Optimizer, learning_names
from scaling.engines.result import Score
from scaling.engines.saved import Arrays
from scaling.models.build import build_network
from scaling.models.lecun1989 import Network, loss_of
from scaling.models.registry import initial_weights
from scaling.models.weights import Weights
from scaling.optim.sdlm import IMAGES, rate_scales
from scaling.study import Cell, Member

PREPARED = 64  # presentations of a member prepared together: assumed, 3 MB for 32 members
# Images evaluated together: of each member; on a GPU, of all members (assumed).
EVALUATED, EVALUATED_ON_GPU = 1000, 65_536

Mask = NDArray[np.bool_]


class Population:
    """The members that are still in training, in their original order."""

    def __init__(
        self,
        cell: Cell,
        members: Sequence[Member],
        data: Dataset,
        device: str,
        start: Callable[[Member], Weights] | None = None,
    ) -> None:
        self._cell, self._device = cell, device
        self.members = self._all = tuple(members)
        self.images = select_all(cell, members, data, device)
        recipe = cell.recipe

        def random_start(member: Member) -> Weights:
            return initial_weights(cell.sizes, recipe, member.seed)

        starts = [(start or random_start)(member) for member in members]
        module = build_network(cell.sizes, recipe, starts[0])
        self._units = module.dropped_units
        first, last = learning_names(recipe, [name for name, _ in module.named_parameters()])
        self._networks = Networks.of(module, recipe, [*first, *last], starts, device)
        flat_KW = self._networks.flat_KW
        matrices = [self._networks.shapes[name] for name in last]
        self._optimizer = Optimizer(recipe, members, flat_KW, matrices)
        self._averaged_KW = flat_KW.clone() if recipe.ema else flat_KW
        self._captured: CapturedStep | None = None

    def train_epoch(self, epoch: int) -> None:
        """Train each member for one pass over its examples in their constant order, from 1."""
        recipe, train = self._cell.recipe, self.images.train
        self._optimizer.begin(epoch)
        if self._optimizer.scales_KW is not None:
            self._optimizer.scales_KW.copy_(self._rate_scales())
        seeds = [member.seed for member in self.members]
        presentations = EpochBatches.of(recipe, train, self._units, seeds, epoch)
        batches = max(1, PREPARED // recipe.batch_size)
        for some in _slices(len(train), batches * recipe.batch_size):
            prepared = presentations.prepare(some)
            for at in _slices(some.stop - some.start, recipe.batch_size):
                self._advance(prepared.subset(at))

    def finite_members(self) -> Mask:
        """Return whether each member's weights are all finite, shape (K,)."""
        finite_K: Mask = torch.isfinite(self._networks.flat_KW).all(dim=1).cpu().numpy()
        return finite_K

    def keep(self, sound_K: Mask) -> None:
        """Keep the members where `sound_K` is true; their state does not change."""
        live_K = torch.from_numpy(sound_K).to(self._device)
        self.members = tuple(m for m, sound in zip(self.members, sound_K, strict=True) if sound)
        self.images = self.images.subset(live_K)
        self._networks = self._networks.subset(live_K)
        self._optimizer = self._optimizer.subset(live_K)
        averaged_KW = self._averaged_KW[live_K]
        self._averaged_KW = averaged_KW if self._cell.recipe.ema else self._networks.flat_KW
        self._captured = None

    def state(self) -> Arrays:
        """Return copies of everything that training changes, and a mask of the members left."""
        found = {name: value.cpu().numpy().copy() for name, value in self._changing().items()}
        return found | {"live": np.array([member in self.members for member in self._all])}

    def restore(self, state: Arrays) -> None:
        """Restore `state` of the same members bit for bit."""
        if not state["live"].all():
            self.keep(state["live"])
        for name, value in self._changing().items():
            value.copy_(torch.from_numpy(state[name]))

    def _changing(self) -> dict[str, Tensor]:
        networks = self._networks
        found = {"flat": networks.flat_KW} | {f"other.{k}": v for k, v in networks.others.items()}
        found |= {f"optimizer.{i}": value for i, value in enumerate(self._optimizer.state)}
        return found | ({"averaged": self._averaged_KW} if self._cell.recipe.ema else {})

    def score(self, images: Images) -> list[Score]:
        """Return each member's score on its images, a pure function of weights and images."""
        k, n = images.index_KN.shape
        loss_K, misses_K = np.zeros(k), np.zeros(k, np.int64)
        for z_KB10, y_KB in self._outputs(images):
            flat = z_KB10.flatten(0, 1), y_KB.flatten()
            losses_KB = loss_of(self._cell.recipe, *flat, reduction="none").view(y_KB.shape)
            loss_K += losses_KB.double().sum(dim=1).cpu().numpy()
            misses_K += (z_KB10.argmax(dim=2) != y_KB).sum(dim=1).cpu().numpy()
        return [
            Score(loss=float(loss) / n, misses=int(misses), n=n)
            for loss, misses in zip(loss_K, misses_K, strict=True)
        ]

    def final_results(self) -> Iterator[tuple[Member, NDArray[np.uint8], Weights]]:
        """Yield each member with its predicted classes of the test images (N,) and its weights."""
        if not self.members:
            return
        classes = [z_KB10.argmax(dim=2) for z_KB10, _ in self._outputs(self.images.test)]
        predicted_KN = torch.cat(classes, dim=1).cpu().numpy().astype(np.uint8)
        weights = self._networks.weights(self._averaged_KW)
        yield from zip(self.members, predicted_KN, weights, strict=True)

    def _outputs(self, images: Images) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield outputs (K, B, 10) and labels (K, B), some images at a time."""
        k, n = images.index_KN.shape
        size = EVALUATED if self._device == "cpu" else max(1, EVALUATED_ON_GPU // k)
        for at in _slices(n, size):
            x_KBHW, y_KB = images.batch(at)
            yield self._networks.outputs(self._averaged_KW, x_KBHW), y_KB

    def _rate_scales(self) -> Tensor:
        """Return the learning-rate factors of all weights, from their curvature, shape (K, W)."""
        x_KBHW, y_KB = self.images.train.first(IMAGES).batch(slice(None))
        rows = []
        weights = self._networks.weights(self._networks.flat_KW)
        for own, x_BHW, y_B in zip(weights, x_KBHW.cpu().numpy(), y_KB.cpu().numpy(), strict=True):
            module = build_network(self._cell.sizes, self._cell.recipe, own)
            assert isinstance(module, Network)
            scales = rate_scales(module, Examples(x=x_BHW, y=y_B.astype(np.uint8)))
            rows.append(np.concatenate([scales[name].ravel() for name in self._networks.shapes]))
        return torch.from_numpy(np.stack(rows)).to(self._device)

    def _advance(self, batch: Batch) -> None:
        """Make a step; on a GPU by the recorded graph, except for a shorter last batch."""
        if self._device == "cuda" and self._captured is None:
            changed = [self._networks.flat_KW, *self._networks.others.values()]
            changed += [*self._optimizer.state, self._averaged_KW]
            self._captured = CapturedStep(self._step, batch, changed)
        if self._captured and self._captured.fits(batch):
            self._captured(*batch)
        else:
            self._step(*batch)

    def _step(self, x_KBHW: Tensor, target_KB10: Tensor, keep_KBU: Tensor | None) -> None:
        networks = self._networks
        gradient_KW = networks.gradient(x_KBHW, target_KB10, keep_KBU)
        self._optimizer.step(networks.flat_KW, gradient_KW)
        if self._cell.recipe.ema:
            self._averaged_KW.lerp_(networks.flat_KW, 1 - self._cell.recipe.ema)


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
