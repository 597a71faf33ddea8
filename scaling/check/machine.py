"""Processor, device and versions; the precision of matrix products."""

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from scaling.check.cases import Case, Outcome
from scaling.engines import available_cores, compiled

PACKAGES = ("numpy", "torch", "numba", "llvmlite", "numba-cuda", "scipy", "ray")
PRECISION = "precision of products"  # the case that the verdict needs
PRODUCT = 512  # rows and columns of the multiplied matrices
# Relative to the largest entry; measured for float32: 4e-7. TF32 keeps 10 bits: 5e-4 per factor.
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


def _processor() -> Outcome:
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
    return Outcome(text=f"{processor()}, {available_cores()} cores", figures=figures)


def _versions() -> Outcome:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    import torch

    found["cuda"] = torch.version.cuda
    text = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    return Outcome(text=text, figures=found)


def _numba() -> Outcome:
    if reason := compiled.unavailable():
        return Outcome(text="", problem=reason)
    from llvmlite import binding

    target = os.environ.get("NUMBA_CPU_NAME") or str(binding.get_host_cpu_name())
    return Outcome(text=f"compiles for {target}", figures={"target": target})


def _gpu() -> Outcome:
    import torch

    if not torch.cuda.is_available():  # SCALING_FAKE_GPU=1
        return Outcome(text="none: the CPU stands in", figures={"name": None})
    gpu = torch.cuda.get_device_properties(0)
    figures: dict[str, Any] = {
        "name": gpu.name,
        "memory_gb": round(gpu.total_memory / 1e9, 1),
        "multiprocessors": gpu.multi_processor_count,
        "capability": f"{gpu.major}.{gpu.minor}",
        "cudnn": torch.backends.cudnn.version(),
        "devices": torch.cuda.device_count(),
        "tf32_by_default": torch.get_float32_matmul_precision() != "highest",
    }
    return Outcome(text=f"{gpu.name}, {figures['memory_gb']} GB", figures=figures)


def _product(device: str) -> Outcome:
    """Compare a float32 product under the engines' `deterministic()` with a float64 product."""
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
    return Outcome(
        text=f"{error:.1e} of the largest entry",
        figures={"error": error, "allowed": PRODUCT_TOLERANCE},
        problem=None if error <= PRODUCT_TOLERANCE else f"off by {error:.1e}: less than float32",
    )


def _numba_cuda() -> Outcome:
    """Report whether numba compiles for the GPU; not a failure if not, as no engine needs it."""
    try:
        version("numba-cuda")
    except PackageNotFoundError:
        return Outcome(text="not installed", figures={"works": None})
    try:
        return _run_kernel()
    except Exception as error:  # noqa: BLE001  drivers may raise anything
        text = f"{type(error).__name__}: {error}"
        return Outcome(text=f"does not work: {text[:200]}", figures={"works": False, "error": text})


def _run_kernel() -> Outcome:
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
    return Outcome(text=text, figures={"works": right, "seconds": seconds})
