"""Convolutions as matrix products, which PyTorch can compute for many models at once.

Under vmap PyTorch's convolutions become grouped ones, which take twice the time. Its `unfold` takes
three times as long as an equivalent `gather`, its gradient twice as long (all measured, CPU).

Shapes: N images; C planes in G groups; T taps; S places of a map; without the dimensions of vmap.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  the usual name
from torch import Tensor
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]  # down, across


class ConvolutionsAsProducts(TorchFunctionMode):
    """A context in which every conv2d of any module is a product."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return (convolve if func is torch.conv2d else func)(*args, **(kwargs or {}))


def convolve(
    x_NCHW: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Return torch.conv2d of these arguments, for kernels (planes, C / G, rows, columns)."""
    down, across = _pair(padding)
    if down or across:
        x_NCHW = F.pad(x_NCHW, (across, across, down, down))
    height, width = x_NCHW.shape[-2:]
    rows, columns = kernel.shape[-2:]
    step, apart = _pair(stride), _pair(dilation)
    spans = ((rows - 1) * apart[0] + 1, (columns - 1) * apart[1] + 1)
    sides = ((height - spans[0]) // step[0] + 1, (width - spans[1]) // step[1] + 1)
    patches = _patches(x_NCHW, (rows, columns), step, apart)
    if groups == 1:
        sums = kernel.flatten(1) @ patches
    else:
        by_group = kernel.flatten(1).unflatten(0, (groups, -1))
        sums = (by_group @ patches.unflatten(1, (groups, -1))).flatten(1, 2)
    sums = sums.unflatten(2, sides)
    biased: Tensor = sums if bias is None else sums + bias[:, None, None]
    return biased


def _patches(x_NCHW: Tensor, kernel: Pair, stride: Pair, dilation: Pair) -> Tensor:
    """Return the inputs of each unit of the next layer, shape (N, C T, S)."""
    if x_NCHW.is_cuda:  # the gradient of `gather` on a GPU sums in no fixed order
        return windows(x_NCHW, kernel, stride, dilation)
    n, planes, height, width = x_NCHW.shape
    places_TS = _places(height, width, kernel, stride, dilation)
    index = places_TS.flatten().expand(n, planes, -1)
    return x_NCHW.flatten(2).gather(2, index).view(n, planes * len(places_TS), -1)


def windows(x_NCHW: Tensor, kernel: Pair, stride: Pair, dilation: Pair) -> Tensor:
    """Return the patches by a view and one copy; one thread sums each pixel's gradient, in order.

    `F.unfold` would launch a kernel for each image of each member on a GPU: 16,000 a step for 4,096
    members. Source: PyTorch, ATen/native/cuda, Im2Col.cu and UnfoldBackwardKernel.cu.
    """
    (rows, columns), (down, across) = kernel, dilation
    seen = x_NCHW.unfold(2, (rows - 1) * down + 1, stride[0])
    seen = seen.unfold(3, (columns - 1) * across + 1, stride[1])
    if dilation != (1, 1):
        seen = seen[..., ::down, ::across]
    return seen.permute(0, 1, 4, 5, 2, 3).flatten(1, 3).flatten(2)


@cache
def _places(height: int, width: int, kernel: Pair, stride: Pair, dilation: Pair) -> Tensor:
    """Return the pixels of a map that each unit sees, shape (T, S)."""
    pixels = np.arange(height * width).reshape(height, width)
    (rows, columns), (down, across) = kernel, dilation
    spans = ((rows - 1) * down + 1, (columns - 1) * across + 1)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, spans)
    seen = windows[:: stride[0], :: stride[1], ::down, ::across]
    taps_first = np.moveaxis(seen, (0, 1), (2, 3))
    return torch.from_numpy(taps_first.reshape(rows * columns, -1).copy())


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
