"""The state of PyTorch's optimizers and of ours as arrays by name, and back."""

import torch

from scaling.engines.saved import Arrays
from scaling.optim.muon import MuonAndAdamW


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> Arrays:
    """Return copies of the optimizer's state."""
    state = optimizer.state_dict()["state"]
    tensors = {
        f"optimizer.{number}.{key}": value
        for number, entry in state.items()
        for key, value in entry.items()
        if value is not None
    }
    if isinstance(optimizer, MuonAndAdamW):
        tensors |= {f"muon.{number}": mean for number, mean in enumerate(optimizer.means)}
    return {name: value.cpu().numpy().copy() for name, value in tensors.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, arrays: Arrays) -> None:
    """Load what `optimizer_arrays` returned into an optimizer of the same parameters."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        kind, number, *key = name.split(".")
        if kind == "optimizer":
            state.setdefault(int(number), {})[key[0]] = torch.from_numpy(array)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    if isinstance(optimizer, MuonAndAdamW):
        for i, mean in enumerate(optimizer.means):
            mean.copy_(torch.from_numpy(arrays[f"muon.{i}"]))
