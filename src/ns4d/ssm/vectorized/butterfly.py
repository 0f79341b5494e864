"""The passes of a fast Fourier transform at a few rows: butterflies of three, four, five, eight.

    X[k] = Σ_j x[j] e^(-2πi jk/r)          r rows, one of them per j                        (1)
    down   rows ← X[k] w[k]                a pass, decimation in frequency                  (2)
    up     rows ← conj X(conj(x[k] w[k]))  the same pass backwards, but for a factor r      (3)

w[0] = 1; the others stand in a table, one complex number for all lanes. Exchanging real and
imaginary parts before and after a transform conjugates it, so (3) is (1) between two exchanges.

Source    J. W. Cooley, J. W. Tukey, An Algorithm for the Machine Calculation of Complex Fourier
          Series, Mathematics of Computation 19, 1965.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

from ns4d.ssm.vectorized.code import ROW, Code, Complex, Value, instruction

LAST = 4  # rows of the last pass down, which is the first up
FACTOR = 8  # bytes of a complex number in a table


def transform(code: Code, x: Sequence[Complex]) -> list[Complex]:
    """Equation (1), by halves where their number is even."""
    if len(x) == 1:
        return list(x)
    if len(x) % 2:
        return _odd(code, x)
    even, odd = transform(code, x[0::2]), transform(code, x[1::2])
    odd = [code.turned(z, k / len(x)) for k, z in enumerate(odd)]
    pairs = list(zip(even, odd, strict=True))
    return [*(code.plus(*pair) for pair in pairs), *(code.minus(*pair) for pair in pairs)]


def _odd(code: Code, x: Sequence[Complex]) -> list[Complex]:
    """X[k] and X[r-k] share the sums over x[j] + x[r-j] and x[j] - x[r-j]."""
    r, half = len(x), range(1, len(x) // 2 + 1)
    sums = [code.plus(x[j], x[r - j]) for j in half]
    differences = [code.minus(x[j], x[r - j]) for j in half]
    found = {0: reduce(code.plus, sums, x[0])}
    for k in half:
        angles = [2 * math.pi * j * k / r for j in half]
        cosines = [_scaled(code, z, math.cos(a)) for z, a in zip(sums, angles, strict=True)]
        sines = [_scaled(code, z, math.sin(a)) for z, a in zip(differences, angles, strict=True)]
        even, odd = reduce(code.plus, cosines, x[0]), reduce(code.plus, sines)
        minus_i_odd = odd[1], code.builder.fneg(odd[0])
        found[k], found[r - k] = code.plus(even, minus_i_odd), code.minus(even, minus_i_odd)
    return [found[k] for k in range(r)]


def _scaled(code: Code, z: Complex, number: float) -> Complex:
    factor = code.constant(number)
    return code.scale(z[0], factor), code.scale(z[1], factor)


def _exchanged(rows: Sequence[Complex]) -> list[Complex]:
    return [(im, re) for re, im in rows]


def _places(code: Code, first: Value, apart: Value, count: int) -> list[Value]:
    places = [first]
    for _ in range(count - 1):
        places.append(code.builder.add(places[-1], apart))
    return places


def _neighbours(code: Code, first: Value) -> list[Value]:
    return [code.at(first, ROW * k) for k in range(LAST)]


def _put_all(code: Code, places: Sequence[Value], rows: Sequence[Complex]) -> None:
    for place, z in zip(places, rows, strict=True):
        code.put(place, z)


def _weighted(code: Code, rows: Sequence[Complex], table: Value) -> list[Complex]:
    """The rows x[k] w[k]; w[0] = 1 is not in the table."""
    factors = [code.factor(code.at(table, FACTOR * k)) for k in range(len(rows) - 1)]
    return [rows[0], *(code.times(z, w) for z, w in zip(rows[1:], factors, strict=True))]


def down(r: int) -> Any:
    """An instruction for (2): first row, distance of the rows, table."""

    @instruction
    def write(code: Code, first: Value, apart: Value, table: Value) -> None:
        places = _places(code, first, apart, r)
        _put_all(
            code, places, _weighted(code, transform(code, [code.row(p) for p in places]), table)
        )

    return write


def up(r: int) -> Any:
    """An instruction for (3): first row, distance of the rows, table."""

    @instruction
    def write(code: Code, first: Value, apart: Value, table: Value) -> None:
        places = _places(code, first, apart, r)
        rows = _weighted(code, _exchanged([code.row(p) for p in places]), table)
        _put_all(code, places, _exchanged(transform(code, rows)))

    return write


@instruction
def last(code: Code, first: Value) -> None:
    """The last pass down at neighbouring rows: (2) without a table."""
    places = _neighbours(code, first)
    _put_all(code, places, transform(code, [code.row(p) for p in places]))


@instruction
def turn(code: Code, first: Value, factors: Value) -> None:
    """The last pass down, a factor per frequency, the first pass up."""
    places = _neighbours(code, first)
    rows = transform(code, [code.row(p) for p in places])
    _put_all(code, places, _back(code, rows, factors))


@instruction
def turn_and_sum(code: Code, first: Value, factors: Value, other: Value, sums: Value) -> None:
    """What `turn` does; the products with the last pass down at other rows are summed."""
    places = _neighbours(code, first)
    rows = transform(code, [code.row(p) for p in places])
    others = transform(code, [code.row(p) for p in _neighbours(code, other)])
    for place, z, v in zip(_neighbours(code, sums), rows, others, strict=True):
        code.put(place, code.plus(code.row(place), code.times(z, v)))
    _put_all(code, places, _back(code, rows, factors))


@instruction
def begin(code: Code, first: Value) -> None:
    """The first pass up at neighbouring rows: (3) without a table."""
    places = _neighbours(code, first)
    rows = _exchanged([code.row(p) for p in places])
    _put_all(code, places, _exchanged(transform(code, rows)))


def _back(code: Code, rows: Sequence[Complex], factors: Value) -> list[Complex]:
    weighted = [
        code.times(z, code.factor(code.at(factors, FACTOR * k))) for k, z in enumerate(rows)
    ]
    return _exchanged(transform(code, _exchanged(weighted)))
