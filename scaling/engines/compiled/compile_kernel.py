"""Compile one kernel in a process that holds no other, compare it with autograd and store it.

python -m scaling.engines.compiled.compile_kernel WIDTH ACTIVATION OPTIMIZER KEY FILE
"""

import sys
from pathlib import Path

from scaling.engines.compiled.agreement import check_agreement
from scaling.engines.compiled.kernel_cache import key_of, link
from scaling.engines.compiled.kernel_file import StoredKernel, write
from scaling.engines.compiled.kernels import Kernels, Kind, make_kernels, signatures
from scaling.engines.compiled.native import Processor, emit
from scaling.engines.compiled.registers import sums_at_once
from scaling.engines.compiled.self_check import digest
from scaling.errors import InputError


def make(kind: Kind, key: str, path: Path) -> None:
    """Make and store a kernel.

    Raises InputError if it has another key than expected or computes other results than autograd.
    """
    processor = Processor.here()
    if key_of(kind, processor) != key:
        raise InputError(
            "the engine's sources or libraries changed while a process that uses them was"
            " running: end it and run the command again"
        )
    codes = {}
    made = make_kernels(kind, sums_at_once(processor))
    named = zip(Kernels._fields, made, signatures(kind), strict=True)
    for name, dispatcher, signature in named:
        dispatcher.compile(signature)
        codes[name] = emit(dispatcher, signature, name, processor)
    kernels = link(kind, codes, processor)
    check_agreement(kind, kernels)
    write(path, key, StoredKernel(codes=codes, digest=digest(kernels, kind)))


def main(width: str, activation: str, optimizer: str, key: str, path: str) -> int:
    kind = Kind(width=int(width), activation=activation, optimizer=optimizer)  # type: ignore[arg-type]
    try:
        make(kind, key, Path(path))
    except InputError as error:
        print(error)  # noqa: T201  to the parent
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
