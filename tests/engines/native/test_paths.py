"""Each path at the edge of its conditions: the last program inside, the first beyond, same bits.

Every case states a condition of `ns4d.engines.native.pack` by two programs that differ in one unit.
The one inside takes the path, the other takes the next one; both must give the reference's bits on
inputs that reach the edge.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from native_edges import EACH, SUMS, around, inputs, neuron, path, require_equal
from ns4d.engines.native import Native
from ns4d.engines.native import plan as p
from ns4d.engines.native.pack import HALF_WORD_MAX, WORD_MAX
from ns4d.numerics import SynapseRounding
from ns4d.program import Dense, Descale

EACH_25, EACH_26 = (replace(EACH, name=f"each-{k}", state_bits=k) for k in (25, 26))
LAST = (2**35 + 2**11 - 1) // 32767  # the largest u with t(32767·u) = 2^24 after a shift of 11
# Under EACH_TOWARD_ZERO: the path, then the program inside; the first program beyond is PLAIN_EACH.
SINGLE = {
    "states of 25 bits, 26 bits": (
        p.SINGLE_CLAMPED,
        {"arithmetic": EACH_25, "b": 4096, "limit": 4096, "shifts": (15, 0, 4, 4)},
        {"arithmetic": EACH_26, "b": 4096, "limit": 4096, "shifts": (15, 0, 6, 4)},
    ),
    "|t(b·u)| = 2^24, beyond": (
        p.SINGLE_CLAMPED,
        {"b": 4096, "limit": 4096, "shifts": (15, 0, 4, 4)},
        {"b": 4096, "limit": 4097, "shifts": (15, 0, 4, 4)},
    ),
    "|t(b·u)| = 2^24 after the shift, beyond": (
        p.SINGLE_CLAMPED,
        {"b": -32767, "limit": LAST, "shifts": (15, 11, 4, 4)},
        {"b": -32767, "limit": LAST + 1, "shifts": (15, 11, 4, 4)},
    ),
    "|t(a·x)| = 2^23 - 1, beyond": (
        p.SINGLE_CLAMPED,
        {"a": 32768 + 32768j, "b": 4096, "limit": 4096, "shifts": (15, 0, 4, 4)},
        {"a": 32769 + 32768j, "b": 4096, "limit": 4096, "shifts": (15, 0, 4, 4)},
    ),
    "|v| = 2^24, 2^24 + 1": (
        p.SINGLE,
        {"c": 0, "d": 4096, "limit": 4096},
        {"c": 0, "d": 257, "limit": 65281},
    ),
    "descaling by 52, by 53": (
        p.SINGLE,
        {"d": 4000, "limit": 4000, "multiplier": 2**23 - 1, "shift": 52, "c": 0},
        {"d": 4000, "limit": 4000, "multiplier": 2**23 - 1, "shift": 53, "c": 0},
    ),
}
# Under SUM_HALF_UP: two paths, each with its program.
FULL = {
    "b": 32767,
    "limit": 25_000,
    "shifts": (16, 0, 16, 9),
    "a": 200 - 100j,
    "c": 3000,
    "shift": 8,
}
SUM = {
    "shift of c of 32, 33": (
        p.SHORT,
        {"shifts": (15, 0, 32, 4), "c": 32767, "b": 30_000, "limit": 60_000},
        p.PLAIN_SUM,
        {"shifts": (15, 0, 33, 4), "c": 32767, "b": 30_000, "limit": 60_000},
    ),
    "shift of d of 32, 33": (
        p.SHORT,
        {"shifts": (15, 0, 4, 32), "d": 32767},
        p.PLAIN_SUM,
        {"shifts": (15, 0, 4, 33), "d": 32767},
    ),
    "shift of a of 32, 33": (
        p.WORD,
        {"shifts": (32, 14, 4, 4), "a": 8_000_000 - 8_000_000j, "b": 1_000_000, "limit": 1_000_000},
        p.PLAIN_SUM,
        {"shifts": (33, 14, 4, 4), "a": 8_000_000 - 8_000_000j, "b": 1_000_000, "limit": 1_000_000},
    ),
    "shift of b of 32, 33": (
        p.WORD,
        {"shifts": (16, 32, 0, 4), "a": 30_000, "b": 8_000_000, "limit": 8_000_000},
        p.PLAIN_SUM,
        {"shifts": (17, 33, 0, 4), "a": 30_000, "b": 8_000_000, "limit": 8_000_000},
    ),
    "a within 31 bits beside b, beyond": (
        p.WORD,
        {"shifts": (10, 31, 0, 4), "a": 700 - 700j, "b": 8_000_000, "limit": 8_000_000},
        p.PLAIN_SUM,
        {"shifts": (10, 32, 0, 4), "a": 700 - 700j, "b": 8_000_000, "limit": 8_000_000},
    ),
    "b within 31 bits beside a, beyond": (
        p.WORD_MODES,
        {"shifts": (16, 0, 4, 4), "a": 3000, "b": 32767, "limit": 60_000, "uniform": False},
        p.PLAIN_SUM,
        {"shifts": (17, 0, 4, 4), "a": 3000, "b": 32767, "limit": 60_000, "uniform": False},
    ),
    "no state saturates, one does": (
        p.WORD,
        {"b": 32767, "limit": 65537, "shifts": (15, 0, 8, 8)},
        p.PLAIN_SUM,
        {"b": 32767, "limit": 65538, "shifts": (15, 0, 8, 8)},
    ),
    "|v| = 2^31 - 1, 2^31": (
        p.SHORT,
        {"c": 0, "d": 32767, "limit": 65537, "shift": 9},
        p.PLAIN_SUM,
        {"c": 0, "d": 32766, "limit": 65541, "shift": 9},
    ),
    "drive of 31 bits, of 32": (
        p.SHORT,
        {"b": 32767, "limit": 65538, "shifts": (16, 8, 4, 4)},
        p.WORD,
        {"b": 32767, "limit": 65539, "shifts": (16, 8, 4, 4)},
    ),
    "a of 16 bits, of 17": (
        p.SHORT,
        {**FULL, "a": 32767},
        p.WORD,
        {**FULL, "a": 32768},
    ),
    "b of 16 bits, of 17": (
        p.SHORT,
        {**FULL, "b": -32767, "limit": 20_000},
        p.WORD,
        {**FULL, "b": -32768, "limit": 20_000},
    ),
    "c of 16 bits, of 17": (
        p.SHORT,
        {**FULL, "c": 32767 - 32767j},
        p.WORD,
        {**FULL, "c": 32768 - 32767j},
    ),
    "half a complex product of 31 bits, beyond": (
        p.SHORT,
        {"a": 32767 - 32762j, "b": 32767, "limit": 18_000, "shifts": (16, 0, 16, 9), "c": 30_000},
        p.WORD,
        {"a": 32767 - 32763j, "b": 32767, "limit": 18_000, "shifts": (16, 0, 16, 9), "c": 30_000},
    ),
    "a_shift of 16, of 17": (
        p.SHORT,
        {**FULL, "shifts": (16, 0, 16, 9)},
        p.WORD,
        {**FULL, "shifts": (17, 0, 16, 9)},
    ),
    "b_shift as a_shift, one more": (
        p.SHORT,
        {"shifts": (15, 15, 0, 4), "a": 30_000, "b": 32767, "limit": 60_000},
        p.WORD,
        {"shifts": (15, 16, 0, 4), "a": 30_000, "b": 32767, "limit": 60_000},
    ),
    # The message is as long as it may be, so the sums come near 2^53.
    "sums within 53 bits, beyond": (
        p.SHORT,
        {"shifts": (16, 0, 23, 0), "b": 1, "c": 0, "d": 256, "limit": 4_194_303},
        p.WORD,
        {"shifts": (16, 0, 23, 0), "b": 1, "c": 0, "d": 256, "limit": 4_194_304},
    ),
    "one b per channel, one per mode": (p.SHORT, FULL, p.WORD_MODES, {**FULL, "uniform": False}),
    "descaling by 52, by 53": (
        p.SHORT,
        {"c": 0, "d": 30_000, "limit": 60_000, "multiplier": 2**21, "shift": 52},
        p.PLAIN_SUM,
        {"c": 0, "d": 30_000, "limit": 60_000, "multiplier": 2**21, "shift": 53},
    ),
}


@pytest.mark.parametrize("case", SINGLE)
def test_single_precision_up_to_its_edge(case):
    inside, within, beyond = SINGLE[case]
    programs = [neuron(**{"arithmetic": EACH, **kind}) for kind in (within, beyond)]
    assert [path(program) for program in programs] == [inside, p.PLAIN_EACH]
    for program in programs:
        require_equal(program)


@pytest.mark.parametrize("case", SUM)
def test_exact_sums_up_to_their_edge(case):
    inside, within, next_one, beyond = SUM[case]
    programs = [neuron(SUMS, **kind) for kind in (within, beyond)]
    assert [path(program) for program in programs] == [inside, next_one]
    for program in programs:
        require_equal(program)


def bounded_state(bound: int, a_shift: int = 16) -> dict[str, Any]:
    """A drive from which a state of a = 0 has exactly this bound: ⌈|b|·u / 2^b_shift + √½⌉."""
    for b_shift in range(7):
        for b in range(32767, 16384, -1):
            u = ((bound - 1) << b_shift) // b
            exact = -(-(b * u) // (1 << b_shift)) + 1
            if exact == bound and (b * u) % (1 << b_shift) == 0 and b * u <= WORD_MAX:
                return {"b": b, "limit": u, "shifts": (a_shift, b_shift, 12, 12)}
    raise AssertionError(f"no product near {bound}")


def test_states_of_two_halves_up_to_their_edge():
    # The upper half of 2^31 - 1 - 2^15 is 2^15 - 1; that of one more would be 2^15.
    most = WORD_MAX - 2**15
    within, beyond = (neuron(SUMS, **bounded_state(most + k)) for k in (0, 1))
    proved = [program.ranges[1].states for program in (within, beyond)]
    assert [int(states.max()) for states in proved if states is not None] == [most, most + 1]
    assert [path(within), path(beyond)] == [p.SHORT, p.WORD]
    for program in (within, beyond):
        require_equal(program)
        # The test is worth its name only if the state comes near its bound, on both sides.
        machine = Native(1).load(program, 3)
        machine.advance(inputs(program))
        reached = machine.state.x_re["trial"]
        assert min(reached.max(), -reached.min()) >= most - 2


def test_chunks_in_double_precision_up_to_their_edge():
    # The sums of (1) are proved within 2^53 - 2^31, room for the half that rounds; beyond, the
    # kernel for tokens serves for chunks as well.
    kind = {"a": 2**22, "b": 256, "shifts": (24, 2, 8, 8)}
    chunked = []
    for limit in (6_291_454, 6_291_455):
        program = neuron(SUMS, limit=limit, **kind)
        row = Native(1).load(program, 1).plan.nodes[1]
        assert row[p.OP] == p.WORD
        chunked.append(row[p.CHUNK] != row[p.TOKEN])
        require_equal(program, inputs(program, length=70))
    assert chunked == [True, False]


def layer(
    weight: np.ndarray,
    bias: int,
    limit: int,
    multiplier: int = 1,
    shift: int = 10,
    arithmetic=SUMS,
):
    """A program with one dense node whose outputs are all alike."""
    outputs, one = len(weight), np.ones(len(weight), np.int64)
    descale = Descale(multiplier * one, shift, arithmetic.message_max * one, relu=False)
    return around(arithmetic, Dense("trial", weight, np.full(outputs, bias), descale), limit)


FULL_PAIR = 2 * HALF_WORD_MAX**2
EXTREME = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [1, 0]]) * HALF_WORD_MAX


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ({"bias": 0, "limit": 32767}, {"bias": 0, "limit": 32768}),
        (
            {"bias": WORD_MAX - FULL_PAIR, "limit": 32767},
            {"bias": WORD_MAX - FULL_PAIR + 1, "limit": 32767},
        ),
    ],
    ids=["messages of 16 bits, of 17", "accumulators of 31 bits, beyond"],
)
def test_pairs_up_to_their_edge(within, beyond):
    programs = [layer(EXTREME, **kind) for kind in (within, beyond)]
    assert [path(program) for program in programs] == [p.PAIRS, p.PLAIN_DENSE]
    for program in programs:
        require_equal(program)


def test_the_readout_takes_pairs_under_the_same_condition():
    programs = [around(SUMS, layer(EXTREME, 0, 9).nodes[1], 9) for _ in range(2)]
    for program, limit, wanted in zip(
        programs, (32767, 32768), (p.READ_PAIRS, p.READ_PLAIN), strict=True
    ):
        node = program.nodes[1]
        clipped = replace(node.descale, limit=np.full(node.outputs, limit))
        program = replace(program, nodes=(program.nodes[0], replace(node, descale=clipped)))
        assert Native(1).load(program, 1).plan.paths[-1] == wanted
        require_equal(program)


@pytest.mark.parametrize("rounding", SynapseRounding)
@pytest.mark.parametrize(
    ("multiplier", "within", "beyond"),
    # (2^31 - 1)·2^22 + 2^(shift - 1) is 2^53 at a shift of 23.
    [(2**22, 23, 24), (1, 52, 53), (0, 52, 53)],
)
def test_descaling_in_double_precision_up_to_its_edge(rounding, multiplier, within, beyond):
    arithmetic = replace(SUMS, name="edge", synapse_rounding=rounding)
    exact = []
    for shift in (within, beyond):
        program = layer(
            EXTREME, WORD_MAX - FULL_PAIR, 32767, multiplier, shift, arithmetic=arithmetic
        )
        row = Native(1).load(program, 1).plan.nodes[1]
        assert row[p.OP] == p.PAIRS
        exact.append(row[p.SHIFT] == shift)
        require_equal(program)
    # Below 0 the column tells the kernels to descale in int64.
    assert exact == [True, False]
