"""The processor's floating-point rounding mode, switched for the length of a computation.

With products rounded toward zero, single precision computes EACH_TOWARD_ZERO exactly: cutting a
product to 24 significant bits and then to an integer is cutting it to an integer, as long as the
result has no more than 24 bits. Eight lanes then do what double precision does with four.

The switch is an instruction that the compiler must not move loads or stores across, hence the
`memory` clobber: every product depends on a load after the first switch and ends in a store before
the second.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils

from ns4d.engines.native.lanes import instruction, load_f32x8, store

TOWARD_ZERO = 0x6000  # bits 13, 14 of MXCSR
# Numba itself needs no inline assembly, so it leaves LLVM without the parser for it.
binding.initialize_native_asmparser()
HAS_MODE = platform.machine() in ("x86_64", "AMD64")


def _with_memory(builder: Any, instruction: str, where: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [where.type])
    builder.asm(kind, f"{instruction} ($0)", "r,~{memory}", [where], side_effect=True)


@instruction
def read_mode(typing: Any) -> Any:
    """The present control word of this thread."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = cgutils.alloca_once(builder, ir.IntType(32))
        _with_memory(builder, "stmxcsr", where)
        return builder.load(where)

    return types.uint32(), generate


@instruction
def write_mode(typing: Any, mode: Any) -> Any:
    """Set the control word of this thread."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = cgutils.alloca_once(builder, ir.IntType(32))
        builder.store(arguments[0], where)
        _with_memory(builder, "ldmxcsr", where)
        return context.get_dummy_value()

    return types.void(types.uint32), generate


@njit
def _squares(x: Any, out: Any) -> None:
    mode = read_mode()
    write_mode(mode | np.uint32(TOWARD_ZERO))
    v = load_f32x8(x, 0)
    store(out, 0, v * v)
    write_mode(mode)


def truncates() -> bool:
    """Whether the switch works here: tried once, on a square that usual rounding enlarges."""
    if not HAS_MODE:
        return False
    # (1 + 5·2^-14)^2 = 1 + 10·2^-14 + 25·2^-28, and the last term is 0.78 of the last bit.
    x, out = np.full(8, 1 + 5 * 2.0**-14, np.float32), np.zeros(8, np.float32)
    _squares(x.ctypes.data, out.ctypes.data)
    return bool((out == np.float32(1 + 10 * 2.0**-14)).all())
