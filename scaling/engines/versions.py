"""The version of each engine, and the properties of the machine that its bits depend on.

Raise an engine's version when it computes other bits on purpose. Rows hold it, so that `scaling
verify` knows whether a model that is trained again must be equal bit for bit.
"""

import os

from scaling.study import Cell

VERSIONS = {"compiled": 2, "population": 1, "reference": 1}
THREADS = "1"  # of PyTorch, fixed by every engine that uses it


def engine_versions(engine: str, cell: Cell) -> dict[str, str]:
    """Return an engine's entries in the column `versions`: its version, processor and threads.

    Unknown values are left out.
    """
    found = {"engine": str(VERSIONS[engine])} if engine in VERSIONS else {}
    if name := processor(engine):
        found["processor"] = name
    if uses_torch(engine, cell):
        found["threads"] = THREADS
    return found


def processor(engine: str) -> str | None:
    """Return the processor that an engine's code is generated for; None without llvmlite.

    NUMBA_CPU_NAME changes it for numba, and thus for the compiled engine only.
    """
    named = os.environ.get("NUMBA_CPU_NAME") if engine == "compiled" else None
    if named:
        return named
    try:
        from llvmlite import binding
    except (ImportError, OSError):
        return None
    return str(binding.get_host_cpu_name())


def uses_torch(engine: str, cell: Cell) -> bool:
    """Return whether PyTorch computes sums: their bits depend on processor, version and threads.

    The compiled engine uses it for the curvature of the second-order method.
    """
    return engine != "compiled" or cell.recipe.optimizer == "sdlm"
