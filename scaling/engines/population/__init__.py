"""The population engine: members of one cell in lock-step, in PyTorch, on the CPU or a GPU.

Here is only what can be said without torch; the work begins in engine.py.

    images     which images each member sees, from one copy of them all
    draws      shifts and dropout by the counters of scaling/randomness.py
    network    K networks whose layers are batched matrix products
    optimizers K members, each at its own rates, in one expression
    capture    a step as a CUDA graph
    engine     the loop over epochs; who failed; the results

What it costs: a step of PyTorch is some sixty calls, whose overhead the members share. Gradients
are autograd's, since written out by hand they gained a fifth (measured); torch.func (vmap over
grad) would do for any module, at two to three times the time (measured), and is left out.
"""

from scaling.architecture import MODEL
from scaling.study import Cell


def supports(cell: Cell, device: str) -> str | None:  # noqa: ARG001  it runs on every device
    """Why this engine cannot train a cell on a device; None if it can."""
    return None if cell.model == MODEL else f"its layers are those of {MODEL}, not {cell.model}"
