"""The version of each engine, and which properties of the machine its bits depend on.

An engine that computes other bits on purpose raises its number. Rows carry it, so that `scaling
verify` knows whether a model that is trained again must be equal to the bit.
"""

import os

from scaling.study import Cell

VERSIONS = {"compiled": 1, "population": 1, "reference": 1}


def made_by(engine: str, cell: Cell) -> dict[str, str]:
    """Return what the column `versions` says of an engine: its version, processor and threads.

    An unknown value is left out.
    """
    found = {"engine": str(VERSIONS[engine])} if engine in VERSIONS else {}
    if name := processor(engine):
        found["processor"] = name
    if uses_torch(engine, cell):
        found["threads"] = str(threads(engine))
    return found


def processor(engine: str) -> str | None:
    """Return the processor that an engine's code is generated for; None without llvmlite.

    NUMBA_CPU_NAME changes it for numba, and thus for the compiled engine only.
    """
    told = os.environ.get("NUMBA_CPU_NAME") if engine == "compiled" else None
    if told:
        return told
    try:
        from llvmlite import binding
    except (ImportError, OSError):
        return None
    return str(binding.get_host_cpu_name())


def uses_torch(engine: str, cell: Cell) -> bool:
    """Return whether PyTorch sums something; its bits depend on processor, version and threads.

    The compiled engine asks it for the curvature of the second-order method.
    """
    return engine != "compiled" or cell.recipe.optimizer == "sdlm"


def threads(engine: str) -> int:
    """Return the threads that PyTorch uses in an engine; the two PyTorch engines fix one."""
    if engine != "compiled":
        return 1
    import torch  # seconds to import; whoever trained a model that needs it has done so

    return int(torch.get_num_threads())
