"""How many sums a kernel keeps in registers at once, by what LLVM makes of its vectors.

A tile of sums fills half of the registers; the other half is for weights, inputs and errors. Of a
larger one LLVM moves sums to memory and back in the innermost loops: with AVX2 a step took 6.98 us
for 4.52 (measured). SSE2 has room for two sums and gets the tiles of AVX2.
"""

from functools import cache

import llvmlite.binding as llvm

from scaling.engines.compiled.layout import LANES
from scaling.engines.compiled.native import Processor

# By the name of a vector register in the machine code of a processor: (registers, floats in one).
REGISTERS = {"zmm": (32, 16), "ymm": (16, 8), "xmm": (16, 4)}
NEON = (32, 4)  # and whatever else LLVM knows
LARGE, SMALL = 16, 4  # sums of LANES floats; the tiles of h1.py and h2.py have one of these sizes

ADDITION = f"""
define void @add(<{LANES} x float>* %a, <{LANES} x float>* %b) {{
  %x = load <{LANES} x float>, <{LANES} x float>* %a, align 4
  %y = load <{LANES} x float>, <{LANES} x float>* %b, align 4
  %z = fadd <{LANES} x float> %x, %y
  store <{LANES} x float> %z, <{LANES} x float>* %a, align 4
  ret void
}}
"""


@cache
def sums_at_once(processor: Processor) -> int:
    """Return how many sums, vectors of LANES floats, a tile holds on a processor."""
    code = processor.machine.emit_assembly(llvm.parse_assembly(ADDITION))
    named = [size for name, size in REGISTERS.items() if name in code]
    count, floats = named[0] if named else NEON
    return LARGE if count * floats // LANES >= 2 * LARGE else SMALL
