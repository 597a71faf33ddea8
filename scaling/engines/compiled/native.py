"""Kernels as standalone machine code: bytes that need nothing from the process that made them.

numba names each function by a counter of its process, so kernels from different processes can hold
different helpers of the same name, of which a linker that loads both keeps only one. Here every
function but the entry is private to its object file, and each object file has its own linker, so
that kernels cannot affect each other.

The entry is called as numba calls it: a pointer for the result, one for an exception, and then the
flattened arguments; an array is (owner, parent, items, size of one, data, shape, strides).
"""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite.binding import newpassmanagers
from numba import types
from numba.np.numpy_support import as_dtype

# Functions of the C library that machine code may call; any other would be an address in numba.
LIBRARY = {"expf", "memcpy", "memmove", "memset"}
OPTIMIZATION = 3  # numba's own default
_NUMBERS = {
    types.boolean: ctypes.c_uint8,
    types.float32: ctypes.c_float,
    types.uint32: ctypes.c_uint32,
    types.int64: ctypes.c_int64,
}


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor that code is generated for, in LLVM's names."""

    triple: str
    name: str
    features: str

    @classmethod
    def here(cls) -> "Processor":
        """Return this machine's processor, or the one in NUMBA_CPU_NAME and NUMBA_CPU_FEATURES."""
        named = os.environ.get("NUMBA_CPU_NAME")
        own = "" if named else llvm.get_host_cpu_features().flatten()
        return cls(
            triple=llvm.get_process_triple(),
            name=named or llvm.get_host_cpu_name(),
            features=os.environ.get("NUMBA_CPU_FEATURES", own),
        )

    @property
    def machine(self) -> Any:
        """Return LLVM's code generator with numba's settings."""
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        static = self.triple.startswith(("x86", "i386", "i686"))
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.name,
            features=self.features,
            opt=OPTIMIZATION,
            reloc="static" if static else "default",
            codemodel="jitdefault",
            jit=True,
        )


def emit(dispatcher: Any, signature: Any, name: str, processor: Processor) -> bytes:
    """Return the machine code of a compiled function, whose only public symbol has this name."""
    module = llvm.parse_assembly(dispatcher.inspect_llvm(signature))
    entry = module.get_function(dispatcher.overloads[signature].fndesc.llvm_func_name)
    for symbol in (*module.functions, *module.global_variables):
        if not symbol.is_declaration:
            symbol.linkage = "internal"
    entry.linkage, entry.name = "external", name
    machine = processor.machine
    passes = newpassmanagers.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = newpassmanagers.create_pipeline_tuning_options()
    passes.run(module, newpassmanagers.create_pass_builder(machine, options))
    needed = {
        symbol.name
        for symbol in (*module.functions, *module.global_variables)
        if symbol.is_declaration and not symbol.name.startswith("llvm.")
    }
    if not needed <= LIBRARY:
        raise RuntimeError(f"machine code that needs {', '.join(sorted(needed - LIBRARY))}")
    return bytes(machine.emit_object(module))


class Native:
    """A function of machine code, called with the arguments that its signature names."""

    def __init__(self, code: bytes, name: str, signature: Any, processor: Processor) -> None:
        """Link the code; LLVM trusts it and aborts the process if it is no object file."""
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), processor.machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        self._name, self._signature = name, signature
        self._engine = engine  # it owns the code
        kinds = [kind for each in signature for kind in _c_types(each)]
        pointer = ctypes.c_void_p
        function = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, *kinds)
        self._call = function(engine.get_function_address(name))

    def __call__(self, *args: Any) -> int:
        """Call the function and return its result; it trusts the sizes of arrays.

        Raises TypeError for arguments of other types than it was compiled for.
        """
        result, exception = ctypes.c_int64(0), ctypes.c_void_p()
        flat = [
            value
            for kind, arg in zip(self._signature, args, strict=True)
            for value in _flat(kind, arg)
        ]
        if status := self._call(ctypes.byref(result), ctypes.byref(exception), *flat):
            raise RuntimeError(f"the kernel {self._name} returned status {status}")
        return result.value


def _c_types(kind: Any) -> Iterator[Any]:
    if isinstance(kind, types.Array):
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        yield from (pointer, pointer, number, number, pointer, *[number] * (2 * kind.ndim))
    elif isinstance(kind, types.BaseTuple):
        for part in kind:
            yield from _c_types(part)
    else:
        yield _NUMBERS[kind]


def _flat(kind: Any, value: Any) -> Iterator[Any]:
    if isinstance(kind, types.Array):
        expected = as_dtype(kind.dtype)
        if (
            not isinstance(value, np.ndarray)
            or value.dtype != expected
            or value.ndim != kind.ndim
            or not value.flags.c_contiguous
        ):
            got = getattr(value, "dtype", type(value).__name__)
            raise TypeError(f"got {got}, expected a contiguous array {kind.ndim}-d of {expected}")
        yield from (None, None, value.size, value.itemsize, value.ctypes.data)
        yield from (*value.shape, *value.strides)
    elif isinstance(kind, types.BaseTuple):
        for part, item in zip(kind, value, strict=True):
            yield from _flat(part, item)
    else:
        yield value.item() if isinstance(value, np.generic) else value
