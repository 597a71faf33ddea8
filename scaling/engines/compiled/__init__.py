"""The compiled engine: one CPU core, one example a step, no Python in between.

Here is only what can be said without numba; the work begins in engine.py.

    vectors  lanewise                          a SIMD vector as a numba type; its arithmetic
    layout                                     where each weight lies
    activations  inputs  objective  optimizers the parts
    h1  h2  dense                              the layers, forward and backward side by side
    kernels                                    all that put together
    native  kernel_file                        machine code of its own, and its file
    agreement  self_check                      that it trains as autograd does, and still does
    compile_kernel  kernel_cache               compiled once, then loaded from the disk
    engine                                     a model that trains

Sixteen members in the lanes of the vectors, at width 1, are not built: they would gain a factor of
1.4 (measured on a prototype), for every layer written a second time.
"""

from functools import cache

from scaling.models.architecture import MODEL
from scaling.study import Cell


def supports(cell: Cell, device: str) -> str | None:
    """Why this engine cannot train a cell on a device; None if it can."""
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
    """Why numba does not work here; None if it does."""
    try:
        import scaling.engines.compiled.engine  # noqa: F401
    except (ImportError, OSError, SystemError) as error:  # missing, or not made for this platform
        return f"numba cannot be used: {error}"
    return None
