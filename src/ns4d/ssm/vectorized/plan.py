"""How sequences of one length are transformed: the rows, the passes, the tables of numbers.

M rows, M = 4·(a product of 3, 4, 5, 8) ≥ l. A pass takes blocks of n rows, n = M at first, in r
parts; its factors are w[k] = e^(-2πi jk/n) at row j of a part, and n becomes n/r. The last pass has
n = 4 and no factors but 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Complex64, Int64

from ns4d.ssm.vectorized.butterfly import LAST
from ns4d.ssm.vectorized.code import ROW


@dataclass(frozen=True, eq=False)
class Plan:
    """Of one length.

    Args:
        length: Steps of a sequence.
        rows: M.
        passes: All but the last: r, bytes between the rows of a butterfly, address of the factors.
        powers: θ^0 … θ^(M-1), θ = e^(iπ/2M).
        tables: What the addresses point to, kept alive.
    """

    length: int
    rows: int
    passes: Int64[np.ndarray, "passes 3"]
    powers: Complex64[np.ndarray, " rows"]
    tables: tuple[Complex64[np.ndarray, " _"], ...]


@lru_cache(maxsize=64)
def plan_for(length: int) -> Plan:
    """The plan for sequences of a length.

    Args:
        length: At least 1.
    """
    rows, radices = _factored(length)
    n, passes, tables = rows, [], []
    for r in radices:
        tables.append(_factors(n, r))
        n //= r
        passes.append((r, n * ROW, tables[-1].ctypes.data))
    powers = np.exp(0.5j * np.pi * np.arange(rows) / rows).astype(np.complex64)
    table = np.array(passes, np.int64).reshape(-1, 3)
    return Plan(length, rows, table, powers, tuple(tables))


def _factors(n: int, r: int) -> np.ndarray:
    """The factors w[1] … w[r-1] of every row of a part."""
    exponents = np.arange(n // r)[:, None] * np.arange(1, r) % n
    return np.exp(-2j * np.pi * exponents / n).astype(np.complex64).reshape(-1)


def _factored(length: int) -> tuple[int, list[int]]:
    """The fewest rows for a length, with the radices of the passes before the last."""
    rows = LAST * math.ceil(length / LAST)
    while (radices := _radices(rows // LAST)) is None:
        rows += LAST
    return rows, radices


def _radices(number: int) -> list[int] | None:
    """Factors with this product, few and large; None if there are none."""
    found = []
    for r in (5, 3):
        while number % r == 0:
            found.append(r)
            number //= r
    twos = number.bit_length() - 1
    if number != 1 << twos or twos == 1:
        return None
    # 4 and 8 alone have every number of twos but one.
    fours = {0: 0, 1: 2, 2: 1}[twos % 3]
    return found + [8] * ((twos - 2 * fours) // 3) + [4] * fours
