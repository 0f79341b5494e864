"""Vectors of eight or four lanes as values of Numba code, each operation one LLVM instruction.

Numba's own vectorizer decides by itself whether and how; here the code says it. LLVM turns a
vector into what the processor has: one AVX2 register, two of SSE or NEON.

    f32x8, i32x8, i16x16      eight channels (sixteen weights)
    f64x4, i64x4, i32x4       four channels

`load_*(base, at)` and `store(base, at, value)` take an address with a byte offset, both integers,
and check nothing: `ns4d.engines.native.pack` computes every offset. Kernels of integers alone
compile in a fraction of the time that arrays take, and are called in a fraction of it too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

ELEMENTS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int16: ir.IntType(16),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
}
SUFFIX = {"float": "f32", "double": "f64", "i16": "i16", "i32": "i32", "i64": "i64"}


class Vector(types.Type):
    """So many numbers of one kind."""

    def __init__(self, scalar: types.Type, lanes: int) -> None:
        self.scalar, self.lanes = scalar, lanes
        super().__init__(name=f"{scalar}x{lanes}")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """An LLVM vector."""

    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(ELEMENTS[kind.scalar], kind.lanes))


F32X8, F64X4 = Vector(types.float32, 8), Vector(types.float64, 4)
I16X16, I32X8 = Vector(types.int16, 16), Vector(types.int32, 8)
I32X4, I64X4 = Vector(types.int32, 4), Vector(types.int64, 4)

# The type checker would take the code generators for what they generate.
instruction: Any = intrinsic
HAS_AVX2 = bool(binding.get_host_cpu_features().get("avx2"))


def _pointer(builder: Any, base: Any, at: Any, element: Any) -> Any:
    return builder.inttoptr(builder.add(base, at), element.as_pointer())


def _loader(kind: types.Type) -> Any:
    @instruction
    def load(typing: Any, base: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            base, at = arguments
            where = _pointer(builder, base, at, context.get_value_type(kind))
            loaded = builder.load(where)
            loaded.align = 1
            return loaded

        return kind(types.intp, types.intp), generate

    return load


load_f32x8, load_f64x4 = _loader(F32X8), _loader(F64X4)
load_i16x16, load_i32x8 = _loader(I16X16), _loader(I32X8)
load_i32x4, load_i64x4 = _loader(I32X4), _loader(I64X4)
load_i32, load_i64, load_f64 = (
    _loader(types.int32),
    _loader(types.int64),
    _loader(types.float64),
)


@instruction
def store(typing: Any, base: Any, at: Any, value: Any) -> Any:
    """Write a vector or a number at a byte offset."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, at, stored = arguments
        builder.store(stored, _pointer(builder, base, at, stored.type)).align = 1
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, value), generate


def _splatter(kind: Vector) -> Any:
    @instruction
    def splat(typing: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = context.get_value_type(kind)
            first = ir.Constant(ir.IntType(32), 0)
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[0], first)
            return builder.shuffle_vector(one, one, _mask([0] * kind.lanes))

        return kind(kind.scalar), generate

    return splat


splat_f32x8, splat_f64x4 = _splatter(F32X8), _splatter(F64X4)
splat_i32x8, splat_i64x4 = _splatter(I32X8), _splatter(I64X4)
splat_i32x4 = _splatter(I32X4)


def _mask(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)


def _arithmetic(symbol: Any, of_floats: str, of_integers: str) -> None:
    @instruction
    def operate(typing: Any, left: Any, right: Any) -> Any:
        method = of_floats if isinstance(left.scalar, types.Float) else of_integers

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, method)(*arguments)

        return left(left, right), generate

    @overload(symbol)
    def of_vectors(left, right):
        if isinstance(left, Vector) and left == right:
            return lambda left, right: operate(left, right)
        return None


_arithmetic(operator.add, "fadd", "add")
_arithmetic(operator.sub, "fsub", "sub")
_arithmetic(operator.mul, "fmul", "mul")
_arithmetic(operator.rshift, "", "lshr")  # logical: zeros come in from the left
_arithmetic(operator.lshift, "", "shl")


def _call(name: str, arguments: int) -> Callable[[Any, Any, Any, Any], Any]:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = values[0].type
        full = f"llvm.{name}.v{kind.count}{SUFFIX[str(kind.element)]}"
        function = ir.FunctionType(kind, [kind] * arguments)
        return builder.call(cgutils.get_or_insert_function(builder.module, function, full), values)

    return generate


@instruction
def trunc(typing: Any, v: Any) -> Any:
    """Toward zero, to an integer."""
    return v(v), _call("trunc", 1)


@instruction
def floor(typing: Any, v: Any) -> Any:
    """Toward minus infinity, to an integer."""
    return v(v), _call("floor", 1)


@instruction
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """The sum a·b + c, rounded once."""
    return a(a, b, c), _call("fma", 3)


def _selector(predicate: str) -> Any:
    @instruction
    def select(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.select(builder.fcmp_ordered(predicate, *arguments), *arguments)

        return a(a, b), generate

    return select


smaller, larger = _selector("<"), _selector(">")


@instruction
def negative(typing: Any, v: Any) -> Any:
    """The vector with its signs changed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fneg(arguments[0])

    return v(v), generate


def _converter(target: Vector, method: str) -> Any:
    @instruction
    def convert(typing: Any, v: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, method)(arguments[0], context.get_value_type(target))

        return target(v), generate

    return convert


f32_of_i32, f64_of_i32 = _converter(F32X8, "sitofp"), _converter(F64X4, "sitofp")
# Toward zero; the callers pass integers that fit.
i32_of_f32, i32_of_f64 = _converter(I32X8, "fptosi"), _converter(I32X4, "fptosi")
i64_of_i32 = _converter(I64X4, "sext")


def _half(target: Vector, lanes: list[int], method: str) -> Any:
    @instruction
    def take(typing: Any, v: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            part = builder.shuffle_vector(arguments[0], arguments[0], _mask(lanes))
            return getattr(builder, method)(part, context.get_value_type(target))

        return target(v), generate

    return take


f64_low, f64_high = _half(F64X4, [0, 1, 2, 3], "fpext"), _half(F64X4, [4, 5, 6, 7], "fpext")
f64_of_low, f64_of_high = _half(F64X4, [0, 1, 2, 3], "sitofp"), _half(F64X4, [4, 5, 6, 7], "sitofp")


@instruction
def multiply_low(typing: Any, a: Any, b: Any) -> Any:
    """The 64-bit products of the low 32 bits of each lane, signed; what is above is ignored."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        by = ir.Constant(arguments[0].type, [ir.Constant(ir.IntType(64), 32)] * 4)
        low = [builder.ashr(builder.shl(v, by), by) for v in arguments]
        return builder.mul(*low)

    return a(a, b), generate


@instruction
def join_halves(typing: Any, low: Any, high: Any) -> Any:
    """The low 32 bits of one vector's lanes beside the high 32 bits of the other's."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = ir.VectorType(ir.IntType(32), 8)
        both = [builder.bitcast(v, words) for v in arguments]
        joined = builder.shuffle_vector(*both, _mask([0, 9, 2, 11, 4, 13, 6, 15]))
        return builder.bitcast(joined, arguments[0].type)

    return low(low, high), generate


@instruction
def i16_of_i32(typing: Any, v: Any) -> Any:
    """The same bits as sixteen 16-bit lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(I16X16))

    return I16X16(v), generate


@instruction
def pair_products(typing: Any, a: Any, b: Any) -> Any:
    """The 32-bit sums a_2k·b_2k + a_2k+1·b_2k+1 of 16-bit lanes: one AVX2 instruction.

    LLVM does not find it in the products and the sum, so it is named where there is one.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide, narrow = (context.get_value_type(kind) for kind in (I32X8, I16X16))
        if HAS_AVX2:
            kind = ir.FunctionType(wide, [narrow, narrow])
            name = "llvm.x86.avx2.pmadd.wd"
            return builder.call(
                cgutils.get_or_insert_function(builder.module, kind, name), arguments
            )

        def lanes(v: Any, first: int) -> Any:
            part = builder.shuffle_vector(v, v, _mask(list(range(first, 16, 2))))
            return builder.sext(part, wide)

        even, odd = (
            builder.mul(lanes(arguments[0], first), lanes(arguments[1], first)) for first in (0, 1)
        )
        return builder.add(even, odd)

    return I32X8(a, b), generate


@instruction
def invoke(typing: Any, address: Any, numbers: Any) -> Any:
    """Call a compiled kernel by its address with a tuple of integers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word] * len(numbers))
        kernel = builder.inttoptr(arguments[0], kind.as_pointer())
        values = [builder.extract_value(arguments[1], k) for k in range(len(numbers))]
        builder.call(kernel, values)
        return context.get_dummy_value()

    return types.void(types.intp, numbers), generate


def _shorts(raised: int) -> Any:
    @instruction
    def take(typing: Any, v: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = arguments[0].type
            by = [
                ir.Constant(kind, [ir.Constant(kind.element, k)] * kind.count) for k in (raised, 16)
            ]
            return builder.ashr(builder.shl(arguments[0], by[0]), by[1])

        return v(v), generate

    return take


# The lower, the upper 16 bits of every 32-bit word, signed.
low_shorts, high_shorts = _shorts(16), _shorts(0)


@instruction
def join_shorts(typing: Any, low: Any, high: Any) -> Any:
    """The lower 16 bits of one vector's 32-bit words beside the upper 16 of the other's."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count = 2 * arguments[0].type.count
        halves = ir.VectorType(ir.IntType(16), count)
        both = [builder.bitcast(v, halves) for v in arguments]
        lanes = [k if k % 2 == 0 else count + k for k in range(count)]
        return builder.bitcast(builder.shuffle_vector(*both, _mask(lanes)), arguments[0].type)

    return low(low, high), generate


@instruction
def shift_down(typing: Any, v: Any, by: Any) -> Any:
    """Arithmetic shift right, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ashr(*arguments)

    return v(v, by), generate


@instruction
def masked(typing: Any, v: Any, mask: Any) -> Any:
    """The bits that both have."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.and_(*arguments)

    return v(v, mask), generate


@instruction
def f64_of_low_words(typing: Any, v: Any) -> Any:
    """The low 32 bits of each 64-bit lane, signed, in double precision."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = builder.trunc(arguments[0], ir.VectorType(ir.IntType(32), 4))
        return builder.sitofp(words, context.get_value_type(F64X4))

    return F64X4(v), generate


@instruction
def i64_of_f64(typing: Any, v: Any) -> Any:
    """Integers of double precision within 32 bits, in 64-bit lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = builder.fptosi(arguments[0], ir.VectorType(ir.IntType(32), 4))
        return builder.sext(words, context.get_value_type(I64X4))

    return I64X4(v), generate
