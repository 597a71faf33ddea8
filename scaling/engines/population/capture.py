"""A step as a CUDA graph: recorded once, then launched whole, without sixty calls from Python.

It has not been run on a GPU yet. It follows PyTorch's rules for CUDA graphs: warm-up on a side
stream, inputs in fixed tensors, state changed in place.

Source: PyTorch documentation, "CUDA semantics", section "CUDA Graphs".
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3  # steps before the recording, as in the source


class CapturedStep:
    """A step that takes inputs of these shapes and changes `state` in place."""

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
            value.copy_(was)  # undoes the warm-up

    def fits(self, inputs: Sequence[Tensor | None]) -> bool:
        """Return whether the inputs have the recorded shapes."""
        return [_shape(value) for value in inputs] == [_shape(value) for value in self._inputs]

    def __call__(self, *inputs: Tensor | None) -> None:
        for fixed, value in zip(self._inputs, inputs, strict=True):
            if fixed is not None and value is not None:
                fixed.copy_(value)
        self._graph.replay()


def _shape(value: Tensor | None) -> torch.Size | None:
    return None if value is None else value.shape
