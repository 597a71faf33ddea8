"""Kernels that are ready to run: compiled once on a machine, then loaded from the disk.

numba's own `cache=True` never hits for functions that a factory makes: its key holds whatever they
close over, which differs in every process. Here the key is what the machine code depends on: the
kind of kernel, the sources, numba, LLVM, and the processor with its features.

A cached kernel loads in a fifth of a second where compiling takes 5 to 10 (measured).
"""

import hashlib
import os
import pickle
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from scaling import architecture, randomness
from scaling.cache import cache_dir, locked
from scaling.engines.compiled.kernels import Kernels, Kind, make_kernels, signatures

# Whatever a kernel takes constants from: change a file, and every kernel is compiled anew. Read as
# soon as they are imported: read later, they might be newer than the code that is compiled.
SOURCES = (
    *sorted(Path(__file__).parent.glob("*.py")),
    Path(architecture.__file__),
    Path(randomness.__file__),
)
CHECKSUMS = [hashlib.sha256(path.read_bytes()).hexdigest() for path in SOURCES]


@cache
def ready(kind: Kind) -> Kernels:
    """The kernels of a kind; says so on stderr if they have to be compiled.

    Raises InputError where the cache folder cannot be written.
    """
    made = make_kernels(kind)
    paths = [cache_dir() / "kernels" / f"{_key(kind, name)}.bin" for name in Kernels._fields]
    if all(path.exists() for path in paths):
        return _filled(kind, made, paths)
    with locked(paths[0].stem, "kernels"):  # one process compiles, the others wait for it
        if not all(path.exists() for path in paths):
            sys.stderr.write(f"compiling the engine for {kind} (once, about 10 s)\n")
            sys.stderr.flush()
        return _filled(kind, made, paths)


def _filled(kind: Kind, made: Kernels, paths: list[Path]) -> Kernels:
    """Each kernel loaded or compiled for its one signature; any other is then a TypeError."""
    for kernel, signature, path in zip(made, signatures(kind), paths, strict=True):
        kernel._cache = _File(path)
        kernel.compile(signature)
        kernel.disable_compile()
    return made


def _key(kind: Kind, name: str) -> str:
    """A hash of everything that the machine code of one kernel depends on."""
    from numba.core.registry import cpu_target

    processor = cpu_target.target_context.codegen().magic_tuple()
    versions = (sys.version, numba.__version__, llvmlite.__version__)
    text = repr((repr(kind), name, CHECKSUMS, processor, versions))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class _File:
    """What a numba dispatcher asks before it compiles: one kernel in one file.

    The file begins with the checksum of the rest, as damaged machine code must not be run.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.cache_path = path, str(path.parent)

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ARG002
        """The compiled kernel, or None where there is none, or none that is whole."""
        target_context.refresh()  # numba's own caches do so first: it registers its functions
        try:
            stored = self._path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, body = stored[:32], stored[32:]
        if hashlib.sha256(body).digest() != checksum:
            return None
        return CompileResult._rebuild(target_context, *pickle.loads(body))

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ARG002
        """Write in one step, so that a reader never sees half a kernel."""
        assert not data.library.has_dynamic_globals, "machine code with addresses of this process"
        body = dumps(data._reduce())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self._path.parent, prefix=".part-")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        Path(part).replace(self._path)
