"""The memory of Arrow's tables while a folder is read."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def steady_memory() -> Iterator[None]:
    """Take Arrow's memory from jemalloc, or from the system where pyarrow comes without it.

    Arrow's default, mimalloc, gives pages back at once and asks for them again, which a virtual
    machine pays for: `load` of 100,000 models took 12 s of the kernel's time, and takes 1
    (measured). What another allocator holds stays its own.
    """
    before, jemalloc = pa.default_memory_pool(), "jemalloc" in pa.supported_memory_backends()
    pa.set_memory_pool(pa.jemalloc_memory_pool() if jemalloc else pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
