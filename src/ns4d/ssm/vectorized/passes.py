"""The compiled loops: blocks, butterflies, channels. All arguments are addresses, bytes, counts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from numba import njit

from ns4d.jit import kept, stamp
from ns4d.ssm.vectorized import butterfly, gates
from ns4d.ssm.vectorized.butterfly import FACTOR, LAST, begin, last, turn, turn_and_sum
from ns4d.ssm.vectorized.code import LANES, ROW
from ns4d.ssm.vectorized.gates import clear, sum_lanes

compiled = partial(njit, error_model="numpy", nogil=True)
RADICES = (3, 4, 5, 8)
enter, enter_backwards = gates.enter, gates.enter_backwards
leave, leave_backwards = gates.leave, gates.leave_backwards
BLOCK, STEP = LAST * ROW, 4  # bytes of a last pass's rows, of a number in a sequence


def _over_blocks(three: Any, four: Any, five: Any, eight: Any) -> Any:
    """One pass over all rows, by the butterflies of one direction."""

    @compiled()
    def over_blocks(r, apart, table, rows, end):
        for block in range(rows, end, r * apart):
            factors = table
            for row in range(block, block + apart, ROW):
                where = (row, apart, factors)
                if r == 4:
                    four(where)
                elif r == 8:
                    eight(where)
                elif r == 5:
                    five(where)
                else:
                    three(where)
                factors += (r - 1) * FACTOR

    return over_blocks


down_blocks = _over_blocks(*map(butterfly.down, RADICES))
up_blocks = _over_blocks(*map(butterfly.up, RADICES))


@compiled()
def downwards(passes, rows, end):
    """All passes down but the last."""
    for p in range(len(passes)):
        r, apart, table = passes[p]
        down_blocks(r, apart, table, rows, end)


@compiled()
def upwards(passes, rows, end):
    """All passes up but the first."""
    for p in range(len(passes) - 1, -1, -1):
        r, apart, table = passes[p]
        up_blocks(r, apart, table, rows, end)


@compiled()
def admit(length, first, apart, count, spare, rows, end, powers, backwards):
    """Sequences into rows; the rest of the rows are zero."""
    for k in range(-(-length // LANES)):
        e = min(k * LANES, length - LANES)
        row = length - 1 - e if backwards else e
        block = (first + STEP * e, apart, count, spare + STEP * e)
        where = (*block, rows + ROW * row, powers + FACTOR * row)
        if backwards:
            enter_backwards(where)
        else:
            enter(where)
    for row in range(rows + ROW * length, end, ROW):
        clear((row,))


@compiled()
def release(length, first, apart, count, spare, rows, powers, backwards):
    """Rows into sequences. Behind the spare one for reading is one for writing."""
    spare += STEP * length
    for k in range(-(-length // LANES)):
        e = min(k * LANES, length - LANES)
        row = length - 1 - e if backwards else e
        block = (first + STEP * e, apart, count, spare + STEP * e)
        where = (*block, rows + ROW * row, powers + FACTOR * row)
        if backwards:
            leave_backwards(where)
        else:
            leave(where)


# What is called from outside. A stamp makes Numba compile anew when a source changes.
def _of_kernels(stamp: str) -> tuple[Any, Any]:
    """Between kernels and their frequencies."""

    def spectra(passes, powers, length, size, kernels, channels, spare, out):
        """Rows of frequencies of the kernels, a group of channels after another."""
        for h in range(0, channels if stamp else 0, LANES):
            rows, apart = out + size * (h // LANES), STEP * length
            first, end = kernels + apart * h, rows + size
            admit(length, first, apart, channels - h, spare, rows, end, powers, False)
            downwards(passes, rows, end)
            for block in range(rows, end, BLOCK):
                last((block,))

    def responses(passes, powers, length, size, kernels, channels, spare, given):
        """The inverse, backwards in time: gradients of kernels from their frequencies."""
        for h in range(0, channels if stamp else 0, LANES):
            rows, apart = given + size * (h // LANES), STEP * length
            for block in range(rows, rows + size, BLOCK):
                begin((block,))
            upwards(passes, rows, rows + size)
            first = kernels + apart * h
            release(length, first, apart, channels - h, spare, rows, powers, True)

    return kept(compiled, spectra), kept(compiled, responses)


def _forward(stamp: str) -> Any:
    """Sequences with the frequencies of their kernels."""

    def convolve(
        passes, powers, length, size, begin_h, end_h, channels, batch, spare, room, u, k, y,
    ):  # fmt: skip
        """Outputs of some channels."""
        apart = STEP * length * channels
        for h in range(begin_h, end_h if stamp else 0):
            factors = k + size // ROW * FACTOR * h
            for b in range(0, batch, LANES):
                at, count = apart * b + STEP * length * h, batch - b
                admit(length, u + at, apart, count, spare, room, room + size, powers, False)
                downwards(passes, room, room + size)
                for block in range(0, size, BLOCK):
                    turn((room + block, factors + block // ROW * FACTOR))
                upwards(passes, room, room + size)
                release(length, y + at, apart, count, spare, room, powers, False)

    return kept(compiled, convolve)


def _backward(stamp: str) -> Any:
    """The same backwards in time, with the sums over the batch."""

    def gradients(
        passes, powers, length, size, begin_h, end_h, channels, batch, spare, room, u, k, g, of_u,
        of_k,
    ):  # fmt: skip
        """Gradients of some channels: with respect to inputs, to frequencies of kernels."""
        apart, other, sums = STEP * length * channels, room + size, room + 2 * size
        for h in range(begin_h, end_h if stamp else 0):
            factors = k + size // ROW * FACTOR * h
            for row in range(sums, sums + size, ROW):
                clear((row,))
            for b in range(0, batch, LANES):
                at, count = apart * b + STEP * length * h, batch - b
                admit(length, u + at, apart, count, spare, other, other + size, powers, False)
                admit(length, g + at, apart, count, spare, room, room + size, powers, True)
                downwards(passes, other, other + size)
                downwards(passes, room, room + size)
                for block in range(0, size, BLOCK):
                    factor = factors + block // ROW * FACTOR
                    turn_and_sum((room + block, factor, other + block, sums + block))
                upwards(passes, room, room + size)
                release(length, of_u + at, apart, count, spare, room, powers, True)
            target = of_k + size // ROW * FACTOR * h
            for row in range(0, size, ROW):
                sum_lanes((sums + row, target + row // ROW * FACTOR))

    return kept(compiled, gradients)


STAMP = stamp(Path(__file__).parent) + str(LANES)
spectra, responses = _of_kernels(STAMP)
convolve, gradients = _forward(STAMP), _backward(STAMP)
