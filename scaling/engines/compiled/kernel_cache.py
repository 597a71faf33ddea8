"""Kernels that are ready to run: compiled once on a machine, then loaded from the disk.

A process of its own compiles a kernel (compile_kernel.py): nothing else that it holds can bear on
the code. It compares the new kernel with autograd before it stores it. Loading checks the file and
then the function: it must compute on fixed examples what it computed then, or it is named, dropped
and compiled again (self_check.py).

The key of a kernel holds what its machine code depends on: the kind, the sources, Python, numba,
LLVM, and the processor with its features.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from scaling.cache import locked
from scaling.data import counter_rng
from scaling.engines.compiled.kernel_file import folder_name, private_folder, read
from scaling.engines.compiled.kernels import Kernels, Kind, make_kernels, signatures
from scaling.engines.compiled.native import Native, Processor
from scaling.engines.compiled.self_check import digest
from scaling.errors import InputError
from scaling.models import architecture
from scaling.recipes import recipe

# Whatever a kernel takes constants from: change a file, and every kernel is compiled anew. Read as
# soon as they are imported: read later, they might be newer than the code that is compiled.
SOURCES = (
    *sorted(Path(__file__).parent.glob("*.py")),
    *(Path(module.__file__ or "") for module in (architecture, counter_rng, recipe)),
)
CHECKSUMS = [hashlib.sha256(path.read_bytes()).hexdigest() for path in SOURCES]


@cache
def ready(kind: Kind) -> Kernels:
    """The kernels of a kind; says so on stderr if they have to be compiled.

    Raises InputError where the cache cannot be used, and where a kernel cannot be made.
    """
    if kind.checked:  # for tests, which are told of an index outside its array by numba
        return make_kernels(kind)
    processor = Processor.here()
    key = key_of(kind, processor)
    path = private_folder() / f"{key}.kernel"
    if kernels := _loaded(kind, key, path, processor):
        return kernels
    with locked(key, folder_name()):  # one process compiles, the others wait for it
        if kernels := _loaded(kind, key, path, processor):
            return kernels
        sys.stderr.write(f"compiling the engine for {kind} (once, about 10 s)\n")
        sys.stderr.flush()
        _compile(kind, key, path)
        if kernels := _loaded(kind, key, path, processor):
            return kernels
    raise InputError(
        f"the compiled engine for {kind}: {path} was made anew and still does not compute what it"
        " should: use --engine reference, and please report it"
    )


def link(kind: Kind, codes: Mapping[str, bytes], processor: Processor) -> Kernels:
    """The kernels of this machine code."""
    named = zip(Kernels._fields, signatures(kind), strict=True)
    return Kernels(*(Native(codes[name], name, types, processor) for name, types in named))


def key_of(kind: Kind, processor: Processor) -> str:
    """A hash of everything that the machine code of a kernel depends on."""
    versions = (sys.version, version("numba"), version("llvmlite"))
    text = repr((repr(kind), CHECKSUMS, processor, versions))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _loaded(kind: Kind, key: str, path: Path, processor: Processor) -> Kernels | None:
    """The stored kernels if they are whole and compute what they computed when they were made."""
    if (stored := read(path, key, Kernels._fields)) is None:
        return None
    kernels = link(kind, stored.codes, processor)
    if digest(kernels, kind) == stored.digest:
        return kernels
    sys.stderr.write(
        f"the kernel for {kind} does not compute what it did when it was made: {path} is dropped\n"
    )
    path.unlink(missing_ok=True)
    return None


def _compile(kind: Kind, key: str, path: Path) -> None:
    """Make a kernel in a process of its own. Raises InputError with what that process said."""
    asked = (str(kind.width), kind.activation, kind.optimizer, key, str(path))
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NUMBA_") and name != "PYTHONOPTIMIZE"
    }
    processor = Processor.here()
    made = subprocess.run(
        # -P: import nothing from the current folder
        [sys.executable, "-P", "-m", f"{__package__}.compile_kernel", *asked],
        capture_output=True,
        text=True,
        check=False,
        env=settings
        | {"NUMBA_CPU_NAME": processor.name, "NUMBA_CPU_FEATURES": processor.features}
        | {"PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)}
        | {"OMP_NUM_THREADS": "1"},  # of torch: its other threads would only wait
    )
    if made.returncode == 2:
        raise InputError(made.stdout.strip())
    if made.returncode:
        last = (made.stderr.strip() or f"it ended with {made.returncode}").splitlines()[-1]
        raise InputError(
            f"the compiled engine for {kind} cannot be made on this machine ({last}):"
            " use --engine reference"
        )
