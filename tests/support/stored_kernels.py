"""Kernels as this machine stores them."""

from pathlib import Path

from scaling.engines.compiled import kernel_cache, kernel_file
from scaling.engines.compiled.kernel_file import StoredKernel
from scaling.engines.compiled.kernels import Kernels, Kind
from scaling.engines.compiled.native import Processor

OnDisk = tuple[Path, str, StoredKernel]  # the file, its key, its content
TANH, RELU = (
    Kind(width=1, activation="tanh", optimizer="sgd"),
    Kind(width=1, activation="relu", optimizer="adamw"),
)


def stored_file(kind: Kind) -> OnDisk:
    """Return the file, the key and the content of a kernel, which is made where it is missing."""
    kernel_cache.load_kernels(kind)
    key = kernel_cache.key_of(kind, Processor.here())
    path = kernel_file.private_folder() / f"{key}.kernel"
    stored = kernel_file.read(path, key, Kernels._fields)
    assert stored is not None
    return path, key, stored
