"""The compiled engine: one CPU core, one example a step, no Python in between.

This file needs no numba:

    vectors  lanewise                          a SIMD vector as a numba type; its arithmetic
    layout                                     the position of each weight
    activations  inputs  objective  optimizers parts of a step
    h1  h2  dense                              the layers, forward and backward side by side
    kernels                                    the whole step, put together
    native  kernel_file                        standalone machine code, and its file
    agreement  self_check                      comparison with autograd, and with earlier results
    compile_kernel  kernel_cache               compilation, once; loading from the disk
    engine                                     a model in training

A variant with sixteen members in a vector's lanes is not built: at width 1 it would be 1.4 times as
fast (measured on a prototype), but every layer would have to be written twice.
"""

from functools import cache

from scaling.models.architecture import MODEL
from scaling.study import Cell


def supports(cell: Cell, device: str) -> str | None:
    """Return why this engine cannot train a cell on a device; None if it can."""
    if device != "cpu":
        return f"it runs on the CPU, not on {device}"
    recipe = cell.recipe
    if cell.model != MODEL:
        return f"it is made for {MODEL}, not for {cell.model}"
    if recipe.batch_size != 1:
        return f"it updates after every example, and the batch size is {recipe.batch_size}"
    if recipe.norm != "none":
        return f"it has no {recipe.norm} normalization"
    if recipe.residual:
        return "it has no residual connections"
    if recipe.connections != "pairs":
        return f"it connects H2 in pairs of groups, not {recipe.connections}"
    if recipe.optimizer == "muon":
        return "it has no Muon"
    if not cell.width.is_integer():
        return f"its vectors need a whole width, not {cell.width:g}"
    return unavailable()


@cache
def unavailable() -> str | None:
    """Return why numba does not work here; None if it does."""
    try:
        import scaling.engines.compiled.engine  # noqa: F401
    except (ImportError, OSError, SystemError) as error:  # missing, or built for another platform
        return f"numba cannot be used: {error}"
    return None
