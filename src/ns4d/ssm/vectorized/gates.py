"""Gates: sequences in memory become rows, a block of as many steps as lanes at once, transposed.

    in     row[e] = u[e] θ^e                                                             (1)
    out    y[e]   = Re(row[e] θ^-e)                                                      (2)

The powers of θ stand in a table, in the order of the rows. A sequence may enter or leave backwards,
its last element at the first row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from ns4d.ssm.vectorized.butterfly import FACTOR
from ns4d.ssm.vectorized.code import LANES, ROW, WORD, Code, Value, instruction


def transposed(code: Code, vectors: Sequence[Value]) -> list[Value]:
    """Lane k of vector j becomes lane j of vector k: the halves interleaved log2(LANES) times."""
    half = LANES // 2
    low = [lane for k in range(half) for lane in (k, LANES + k)]
    high = [lane + half for lane in low]
    for _ in range(LANES.bit_length() - 1):
        vectors = [
            code.shuffle(vectors[k], vectors[k + half], lanes)
            for k in range(half)
            for lanes in (low, high)
        ]
    return list(vectors)


def _sequences(code: Code, first: Value, apart: Value, count: Value, spare: Value) -> list[Value]:
    """The address in the sequence of every lane; lanes beyond the count take the spare one."""
    found = []
    for lane in range(LANES):
        number = ir.Constant(WORD, lane)
        there = code.builder.icmp_signed("<", number, count)
        address = code.builder.add(first, code.builder.mul(apart, number))
        found.append(code.builder.select(there, address, spare))
    return found


def _gate(step: int, enters: bool) -> Any:
    """An instruction; the step is 1, or -1 for sequences backwards.

    Its numbers: sequence of lane 0, at the block; distance of the lanes' sequences; how many there
    are; the spare sequence, at the block; row and power of θ of the block's first element.
    """

    @instruction
    def write(
        code: Code, first: Value, apart: Value, count: Value, spare: Value, row: Value, power: Value
    ) -> None:
        places = _sequences(code, first, apart, count, spare)
        rows = [code.at(row, step * ROW * k) for k in range(LANES)]
        powers = [code.factor(code.at(power, step * FACTOR * k)) for k in range(LANES)]
        if enters:
            columns = transposed(code, [code.load(place) for place in places])
            for where, u, (re, im) in zip(rows, columns, powers, strict=True):
                code.put(where, (code.scale(u, re), code.scale(u, im)))
            return
        real = []
        for where, (re, im) in zip(rows, powers, strict=True):
            z = code.row(where)
            real.append(code.add(code.scale(z[0], re), code.scale(z[1], im)))
        for place, y in zip(places, transposed(code, real), strict=True):
            code.store(place, y)

    return write


enter, enter_backwards = _gate(1, enters=True), _gate(-1, enters=True)
leave, leave_backwards = _gate(1, enters=False), _gate(-1, enters=False)


@instruction
def clear(code: Code, row: Value) -> None:
    """Zeros in all lanes."""
    code.put(row, (code.constant(0.0), code.constant(0.0)))


@instruction
def sum_lanes(code: Code, row: Value, target: Value) -> None:
    """One complex number at the target: the sum over the lanes of a row."""
    for part, vector in enumerate(code.row(row)):
        total, count = vector, LANES
        while count > 1:
            count //= 2
            halves = (range(count), range(count, 2 * count))
            total = code.builder.fadd(*(code.shuffle(total, total, half) for half in halves))
        number = code.builder.extract_element(total, ir.Constant(WORD, 0))
        code.store(code.at(target, part * FACTOR // 2), number)
