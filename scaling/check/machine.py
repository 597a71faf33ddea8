"""Processor, device, versions; the precision of products beside that of float32."""

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from scaling.check.cases import Case, Found
from scaling.engines import available_cores, compiled

PACKAGES = ("numpy", "torch", "numba", "llvmlite", "numba-cuda", "scipy", "ray")
PRECISION = "precision of products"  # the case that the verdict needs
PRODUCT = 512  # rows and columns of the matrices whose product is judged
# Relative to the largest entry; float32 measured 4e-7, TF32 keeps 10 bits: 5e-4 a factor.
PRODUCT_TOLERANCE = 1e-5


def machine_cases(device: str) -> Iterator[Case]:
    """Yield cases of the processor, the GPU, the packages and the precision of products."""
    yield Case(name="processor", run=_processor)
    yield Case(name="versions", run=_versions)
    yield Case(name="numba", run=_numba)
    if device == "cuda":
        yield Case(name="GPU", run=_gpu)
        yield Case(name="numba-cuda", run=_numba_cuda)
    yield Case(name=PRECISION, run=lambda: _product(device))


def processor() -> str:
    """Return the processor's model name."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux
    if cpuinfo.exists():
        named = re.search(
            r"^model name\s*: (.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE
        )
        if named:
            return named[1]
    return platform.processor() or platform.machine()


def _processor() -> Found:
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    figures = {
        "processor": processor(),
        "cores": available_cores(),
        "memory_gb": memory and round(memory, 1),
        "load": load,
        "platform": platform.platform(),
        "threads": {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")},
    }
    return Found(text=f"{processor()}, {available_cores()} cores", figures=figures)


def _versions() -> Found:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    import torch

    found["cuda"] = torch.version.cuda
    text = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    return Found(text=text, figures=found)


def _numba() -> Found:
    if reason := compiled.unavailable():
        return Found(text="", problem=reason)
    from llvmlite import binding

    target = os.environ.get("NUMBA_CPU_NAME") or str(binding.get_host_cpu_name())
    return Found(text=f"compiles for {target}", figures={"target": target})


def _gpu() -> Found:
    import torch

    if not torch.cuda.is_available():  # SCALING_FAKE_GPU=1
        return Found(text="none: the CPU stands in", figures={"name": None})
    of = torch.cuda.get_device_properties(0)
    figures: dict[str, Any] = {
        "name": of.name,
        "memory_gb": round(of.total_memory / 1e9, 1),
        "multiprocessors": of.multi_processor_count,
        "capability": f"{of.major}.{of.minor}",
        "cudnn": torch.backends.cudnn.version(),
        "devices": torch.cuda.device_count(),
        "tf32_by_default": torch.get_float32_matmul_precision() != "highest",
    }
    return Found(text=f"{of.name}, {figures['memory_gb']} GB", figures=figures)


def _product(device: str) -> Found:
    """Compare a product with float64, multiplied as the engines do, with `deterministic()`."""
    import torch

    from scaling.engines import resolve_device
    from scaling.engines.reference import deterministic

    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(PRODUCT, PRODUCT)).astype(np.float32) for _ in range(2))
    with deterministic():
        here = (torch.from_numpy(v).to(resolve_device(device)) for v in (a, b))
        got = torch.matmul(*here).cpu().numpy()
    exact = a.astype(np.float64) @ b.astype(np.float64)
    error = float(np.abs(got - exact).max() / np.abs(exact).max())
    return Found(
        text=f"{error:.1e} of the largest entry",
        figures={"error": error, "allowed": PRODUCT_TOLERANCE},
        problem=None if error <= PRODUCT_TOLERANCE else f"off by {error:.1e}: less than float32",
    )


def _numba_cuda() -> Found:
    """Report whether numba compiles for the GPU. No engine needs it yet, so nothing can fail."""
    try:
        version("numba-cuda")
    except PackageNotFoundError:
        return Found(text="not installed", figures={"works": None})
    try:
        return _doubled()
    except Exception as error:  # noqa: BLE001  whatever a driver raises is the answer
        said = f"{type(error).__name__}: {error}"
        return Found(text=f"does not work: {said[:200]}", figures={"works": False, "error": said})


def _doubled() -> Found:
    from numba import cuda

    @cuda.jit  # type: ignore[untyped-decorator, unused-ignore]
    def double(values):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < values.size:
            values[i] *= 2

    started = perf_counter()
    values = cuda.to_device(np.arange(1000, dtype=np.float32))
    double[4, 256](values)
    right = bool((values.copy_to_host() == 2 * np.arange(1000)).all())
    seconds = perf_counter() - started
    text = f"compiled and ran a kernel in {seconds:.1f} s" + ("" if right else ", wrongly")
    return Found(text=text, figures={"works": right, "seconds": seconds})
