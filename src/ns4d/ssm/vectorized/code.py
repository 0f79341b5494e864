"""LLVM code for complex numbers in the lanes of vectors, each lane of another sequence.

A row is what the lanes have at one place of their sequences: their real parts, then their imaginary
parts. Rows lie at addresses that are multiples of their parts' bytes; whatever else is read or
written may lie anywhere.

Numba leaves it to LLVM whether and how to use vectors; an `instruction` says it. It takes integers
alone (addresses, distances in bytes, counts) in one tuple, and checks nothing.
"""

from __future__ import annotations

import cmath
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from ns4d.errors import ConfigError

WIDTHS = (4, 8, 16)


def _lanes() -> int:
    """Those of the processor's registers, or what the tests ask for."""
    widest = 16 if binding.get_host_cpu_features().get("avx512f") else 8
    wanted = os.environ.get("NS4D_LANES", str(widest))
    if wanted not in map(str, WIDTHS):
        fix = "Unset it: the processor says what is best."
        raise ConfigError("NS4D_LANES", expected=f"one of {WIDTHS}", got=wanted, fix=fix)
    return int(wanted)


LANES = _lanes()
PART = 4 * LANES  # bytes of a row's real, of its imaginary parts
ROW = 2 * PART

FLOAT, WORD, INDEX = ir.FloatType(), ir.IntType(64), ir.IntType(32)
VECTOR = ir.VectorType(FLOAT, LANES)
FUSED = ("contract",)  # a product may go into a sum without a rounding of its own

Value = Any  # of LLVM: an integer, a number, a vector
Complex = tuple[Value, Value]
Body = Callable[..., None]
# The type checker would take the code generator for what it generates.
_intrinsic: Any = intrinsic


def instruction(body: Body) -> Any:
    """Make what writes code callable from Numba, with as many integers in a tuple.

    Args:
        body: Called with the `Code` to write and one value per integer.
    """

    @_intrinsic
    def write(typing: Any, numbers: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = [builder.extract_value(arguments[0], k) for k in range(len(numbers))]
            body(Code(builder), *values)
            return context.get_dummy_value()

        return types.void(numbers), generate

    return write


class Code:
    """Writes instructions.

    Args:
        builder: Of llvmlite, at the place where they go.
    """

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def at(self, base: Value, offset: int) -> Value:
        """An address so many bytes further."""
        return self.builder.add(base, ir.Constant(WORD, offset))

    def load(self, where: Value, kind: Any = VECTOR, align: int = 4) -> Value:
        """Read a vector or a number."""
        value = self.builder.load(self.builder.inttoptr(where, kind.as_pointer()))
        value.align = align
        return value

    def store(self, where: Value, value: Value, align: int = 4) -> None:
        """Write a vector or a number."""
        place = self.builder.inttoptr(where, value.type.as_pointer())
        self.builder.store(value, place).align = align

    def row(self, where: Value) -> Complex:
        """Read a row."""
        return self.load(where, align=PART), self.load(self.at(where, PART), align=PART)

    def put(self, where: Value, z: Complex) -> None:
        """Write a row."""
        self.store(where, z[0], PART)
        self.store(self.at(where, PART), z[1], PART)

    def factor(self, where: Value) -> Complex:
        """Read one complex number for all lanes."""
        return self._spread(where), self._spread(self.at(where, 4))

    def constant(self, number: float) -> Value:
        """One real number for all lanes."""
        return ir.Constant(VECTOR, [ir.Constant(FLOAT, float(np.float32(number)))] * LANES)

    def shuffle(self, left: Value, right: Value, lanes: Sequence[int]) -> Value:
        """Lanes of two vectors, those of the right one counted on from those of the left."""
        mask = ir.Constant(ir.VectorType(INDEX, len(lanes)), list(lanes))
        return self.builder.shuffle_vector(left, right, mask)

    def add(self, a: Value, b: Value) -> Value:
        """The sum a + b."""
        return self.builder.fadd(a, b, flags=FUSED)

    def subtract(self, a: Value, b: Value) -> Value:
        """The difference a - b."""
        return self.builder.fsub(a, b, flags=FUSED)

    def scale(self, a: Value, b: Value) -> Value:
        """The product a·b of real numbers."""
        return self.builder.fmul(a, b, flags=FUSED)

    def plus(self, x: Complex, y: Complex) -> Complex:
        """The sum x + y."""
        return self.add(x[0], y[0]), self.add(x[1], y[1])

    def minus(self, x: Complex, y: Complex) -> Complex:
        """The difference x - y."""
        return self.subtract(x[0], y[0]), self.subtract(x[1], y[1])

    def times(self, x: Complex, y: Complex) -> Complex:
        """The product x·y."""
        re = self.subtract(self.scale(x[0], y[0]), self.scale(x[1], y[1]))
        return re, self.add(self.scale(x[0], y[1]), self.scale(x[1], y[0]))

    def turned(self, x: Complex, turn: float) -> Complex:
        """The number x, turned clockwise by less than half a circle: x e^(-2πi turn)."""
        if turn == 0:
            return x
        if turn == 1 / 4:
            return x[1], self.builder.fneg(x[0])
        factor = cmath.exp(-2j * math.pi * turn)
        return self.times(x, (self.constant(factor.real), self.constant(factor.imag)))

    def _spread(self, where: Value) -> Value:
        first = ir.Constant(INDEX, 0)
        one = self.builder.insert_element(
            ir.Constant(VECTOR, ir.Undefined), self.load(where, FLOAT), first
        )
        return self.shuffle(one, one, [0] * LANES)
