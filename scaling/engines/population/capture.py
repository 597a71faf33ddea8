"""A step as a CUDA graph: recorded once, then started whole, without Python's sixty calls.

It has not been run on a GPU yet. The rules it keeps are those of PyTorch's notes on CUDA graphs:
warm-up on a side stream, inputs in tensors that stay, state changed in place.

Source: PyTorch documentation, "CUDA semantics", section "CUDA Graphs".
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3  # steps before the recording, as in the source


class Captured:
    """A step that takes these inputs (all of the shapes given) and changes `state` in place."""

    def __init__(
        self, step: Callable[..., None], inputs: Sequence[Tensor | None], state: Sequence[Tensor]
    ) -> None:
        self._inputs = [None if value is None else value.clone() for value in inputs]
        before = [value.clone() for value in state]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                step(*self._inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):  # records, and runs nothing
            step(*self._inputs)
        for value, was in zip(state, before, strict=True):
            value.copy_(was)  # the warm-up was no training

    def fits(self, inputs: Sequence[Tensor | None]) -> bool:
        """Whether the inputs have the shapes that were recorded."""
        return [_shape(value) for value in inputs] == [_shape(value) for value in self._inputs]

    def __call__(self, *inputs: Tensor | None) -> None:
        for mine, value in zip(self._inputs, inputs, strict=True):
            if mine is not None and value is not None:
                mine.copy_(value)
        self._graph.replay()


def _shape(value: Tensor | None) -> torch.Size | None:
    return None if value is None else value.shape
