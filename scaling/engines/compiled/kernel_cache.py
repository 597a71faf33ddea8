"""Kernels that are compiled once on a machine and then loaded from the disk.

A separate process compiles a kernel (compile_kernel.py), so that nothing else in a process can
affect the code, and compares it with autograd before storing it. Loading checks the file and then
the function: if it does not compute the same results on fixed examples as after its compilation
(self_check.py), it is reported, deleted and compiled again.

A kernel's key depends on everything that its machine code depends on: the kind, the sources,
Python, numba, LLVM, and the processor with its features.
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
from scaling.engines.compiled.registers import sums_at_once
from scaling.engines.compiled.self_check import digest
from scaling.errors import InputError
from scaling.models import architecture
from scaling.recipes import recipe

# The files with a kernel's code and constants; if one changes, every kernel is compiled anew. They
# are read at import, as later they might be newer than the imported code.
SOURCES = (
    *sorted(Path(__file__).parent.glob("*.py")),
    *(Path(module.__file__ or "") for module in (architecture, counter_rng, recipe)),
)
CHECKSUMS = [hashlib.sha256(path.read_bytes()).hexdigest() for path in SOURCES]


@cache
def load_kernels(kind: Kind) -> Kernels:
    """Return the kernels of a kind; compile them if necessary and report it on stderr.

    Raises InputError where the cache cannot be used or a kernel cannot be made.
    """
    if kind.checked:  # for tests, in which numba raises IndexError for a wrong index
        return make_kernels(kind, sums_at_once(Processor.here()))
    processor = Processor.here()
    key = key_of(kind, processor)
    path = private_folder() / f"{key}.kernel"
    if kernels := _load_checked(kind, key, path, processor):
        return kernels
    with locked(key, folder_name()):  # one process compiles, the others wait for it
        if kernels := _load_checked(kind, key, path, processor):
            return kernels
        sys.stderr.write(f"compiling the engine for {kind} (once, about 10 s)\n")
        sys.stderr.flush()
        _compile(kind, key, path)
        if kernels := _load_checked(kind, key, path, processor):
            return kernels
    raise InputError(
        f"the compiled engine for {kind}: {path} was made anew and still does not compute what it"
        " should: use --engine reference, and please report it"
    )


def link(kind: Kind, codes: Mapping[str, bytes], processor: Processor) -> Kernels:
    """Return the kernels of machine code."""
    named = zip(Kernels._fields, signatures(kind), strict=True)
    return Kernels(*(Native(codes[name], name, types, processor) for name, types in named))


def key_of(kind: Kind, processor: Processor) -> str:
    """Return a hash of everything that the machine code of a kernel depends on."""
    versions = (sys.version, version("numba"), version("llvmlite"))
    text = repr((repr(kind), CHECKSUMS, processor, versions))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _load_checked(kind: Kind, key: str, path: Path, processor: Processor) -> Kernels | None:
    """Return the stored kernels if they are intact and compute the same results as when made."""
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
    """Make a kernel in a separate process. Raises InputError with that process's message."""
    arguments = (str(kind.width), kind.activation, kind.optimizer, key, str(path))
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NUMBA_") and name != "PYTHONOPTIMIZE"
    }
    processor = Processor.here()
    done = subprocess.run(
        # -P: import nothing from the current folder
        [sys.executable, "-P", "-m", f"{__package__}.compile_kernel", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=settings
        | {"NUMBA_CPU_NAME": processor.name, "NUMBA_CPU_FEATURES": processor.features}
        | {"PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)}
        | {"OMP_NUM_THREADS": "1"},  # torch's other threads would only wait
    )
    if done.returncode == 2:
        raise InputError(done.stdout.strip())
    if done.returncode:
        last = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[-1]
        raise InputError(
            f"the compiled engine for {kind} cannot be made on this machine ({last}):"
            " use --engine reference"
        )
