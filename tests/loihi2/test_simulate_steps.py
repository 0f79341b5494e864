"""The compiled pieces by themselves, each against NumPy or plain Python."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_programs import crowded
from ns4d.engines.reference import (
    descale,
    reduce_each_toward_zero,
    reduce_sum_half_up,
    update_each_toward_zero,
    update_sum_half_up,
)
from ns4d.loihi2 import simulate_steps as s
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import Kind, populations
from ns4d.loihi2.simulate import simulate
from ns4d.loihi2.simulate_layout import Layout, lay_out
from ns4d.numerics import (
    LOIHI2,
    WIDE,
    ProductRounding,
    saturate,
    shift_half_up,
    shift_toward_zero,
)
from ns4d.program import S4D
from program_strategies import ARITHMETICS, random_program

LARGEST = 2**62
EDGES = [0, 1, 2, 3, 7, 8, 2**31, 2**53 + 1, LARGEST - 1, LARGEST]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("p", EDGES)
@pytest.mark.parametrize("shift", [0, 1, 2, 3, 31, 32, 61, 62])
def test_shifts_up_to_the_end_of_their_contract(sign, p, shift):
    value = np.array([sign * p], np.int64)
    assert s.toward_zero(value[0], shift) == shift_toward_zero(value, shift)[0]
    assert s.half_up(value[0], shift) == shift_half_up(value, shift)[0]


@given(st.integers(-LARGEST, LARGEST), st.integers(2, 40))
def test_saturation(value, bits):
    top = 2 ** (bits - 1) - 1
    wanted = saturate(np.array([value]), bits)[0]
    assert s.saturated(np.int64(value), np.int64(top)) == wanted


def layer(arithmetic, seed: int = 0, saturating: bool = False):
    program = random_program(
        np.random.default_rng(seed), arithmetic, channels=5, modes=4, saturating=saturating
    )
    return program, lay_out(place(program, crowded(6, 9)))


def row_of(layout: Layout, kind: int, which: int = 0) -> np.ndarray:
    return layout.table[np.flatnonzero(layout.table[:, s.KIND] == kind)[which]]


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda profile: profile.name)
@pytest.mark.parametrize("saturating", [False, True])
def test_neurons_update_as_in_the_reference(arithmetic, saturating):
    """Several tokens in a row, so that states are large; then what they send."""
    program, layout = layer(arithmetic, saturating=saturating)
    node = program.nodes[1]
    assert isinstance(node, S4D)
    each = arithmetic.product_rounding is ProductRounding.EACH_TOWARD_ZERO
    update = update_each_toward_zero if each else update_sum_half_up
    row, rng = row_of(layout, s.STATE_KIND), np.random.default_rng(1)
    x = [np.zeros(20, np.int32) for _ in range(2)]
    wanted = [np.zeros((1, 5, 4), np.int64) for _ in range(2)]
    y = np.zeros(20, np.int64)
    limit = program.nodes[0].descale.limit
    for _ in range(6):
        u = rng.integers(-limit, limit + 1)
        s.update(row, layout.numbers, layout.words, *x, u.copy(), y)
        parts = update(node, *wanted, u[None])
        wanted = [saturate(part, arithmetic.state_bits) for part in parts]
        for got, part in zip(x, wanted, strict=True):
            assert got.tolist() == part.reshape(-1).tolist()
        sums = y.reshape(5, 4).sum(axis=1)
        if each:
            v = reduce_each_toward_zero(node, *wanted, u[None])[0]
        else:
            sums = shift_half_up(sums, np.maximum(node.c_shift, node.d_shift))
            v = reduce_sum_half_up(node, *wanted, u[None])[0]
        assert sums.tolist() == v.tolist()


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda profile: profile.name)
def test_descaling_is_that_of_the_reference(arithmetic):
    for seed in range(4):
        program, layout = layer(arithmetic, seed)
        dense = program.nodes[2]
        row = row_of(layout, s.DENSE_KIND, 1)
        bound = program.ranges[2].accumulator
        for v in (bound, -bound, bound // 3, -bound // 5, np.zeros_like(bound)):
            sums = v.copy()
            s.descale(row, layout.numbers, sums)
            wanted = descale(arithmetic, dense.descale, v[None])[0]
            assert sums.tolist() == wanted.tolist()


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE])
def test_only_reduce_rounds_an_exact_sum(arithmetic):
    _, layout = layer(arithmetic)
    aligned = layout.table[:, s.ALIGNED].astype(bool)
    exact = arithmetic.product_rounding is ProductRounding.SUM_HALF_UP
    assert (layout.table[aligned, s.KIND] == s.REDUCE_KIND).all()
    assert aligned.any() == exact


def events(messages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    index = np.flatnonzero(messages)
    return index.astype(np.int32), messages[index].astype(np.int64)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_events_spread_as_a_product_of_matrices(share):
    program, layout = layer(LOIHI2)
    rng = np.random.default_rng(2)
    m = rng.integers(-2000, 2000, 5) * (rng.random(5) < share)
    sums = np.arange(5, dtype=np.int64)
    s.spread(row_of(layout, s.DENSE_KIND, 1), layout.words, *events(m), sums)
    assert sums.tolist() == (np.arange(5) + program.nodes[2].weight @ m).tolist()


@settings(max_examples=50)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_events_gather_as_sums_over_modes(channels, modes, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(-3, 4, (channels, modes)) * (rng.random((channels, modes)) < 0.5)
    sums = np.zeros(channels, np.int64)
    s.gather(modes, *events(y.reshape(-1)), sums)
    assert sums.tolist() == y.sum(axis=1).tolist()


@settings(max_examples=50)
@given(st.lists(st.integers(-1, 1), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_what_is_sent_are_the_messages_that_are_not_zero(messages, seed):
    rng = np.random.default_rng(seed)
    m = np.array(messages, np.int64)
    cuts = np.unique(np.append(rng.integers(1, len(m) + 1, 3), len(m))).astype(np.int32)
    row = np.zeros(s.COLUMNS, np.int64)
    row[[s.SLICE, s.SLICES]] = 1, len(cuts)
    stops = np.concatenate([np.array([7], np.int32), cuts])
    index, value = np.zeros(len(m), np.int32), np.zeros(len(m), np.int64)
    spikes = np.zeros(len(stops), np.int64)
    count = s.send(row, m, stops, index, value, spikes)
    wanted = events(m)
    assert index[:count].tolist() == wanted[0].tolist()
    assert value[:count].tolist() == wanted[1].tolist()
    firsts = [0, *cuts[:-1]]
    per_slice = [np.count_nonzero(m[a:b]) for a, b in zip(firsts, cuts, strict=True)]
    assert spikes.tolist() == [0, *per_slice]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_synaptic_operations_are_counted_sender_by_sender(seed):
    rng = np.random.default_rng(seed)
    senders, slices = int(rng.integers(1, 9)), 3
    heard = rng.integers(0, 3, (senders, slices))
    sent = np.flatnonzero(rng.random(senders) < 0.6).astype(np.int32)
    entries = [np.flatnonzero(row) for row in heard]
    fan = (
        np.arange(1, senders + 1, dtype=np.int32),
        np.concatenate([[0], np.cumsum([len(entry) for entry in entries])]).astype(np.int64),
        np.concatenate(entries).astype(np.int32),
        np.concatenate([row[row > 0] for row in heard]).astype(np.int32),
    )
    synops = np.zeros(slices, np.int64)
    s.listen(0, senders, fan, sent, synops)
    assert synops.tolist() == heard[sent].sum(axis=0).tolist()


def test_a_slot_holds_the_events_of_its_step():
    row = np.zeros(s.COLUMNS, np.int64)
    row[[s.NEURONS, s.RING, s.COUNTS, s.DEPTH]] = 2, 4, 1, 3
    index, value = np.arange(10, dtype=np.int32), 10 * np.arange(10)
    count = np.array([9, 1, 0, 2, 9])
    ring = index, value, count
    found = {step: s.heard(row, step, ring)[1].tolist() for step in range(-1, 6)}
    assert found == {-1: [], 0: [40], 1: [], 2: [80, 90], 3: [40], 4: [], 5: [80, 90]}


def test_there_is_one_specialization():
    random_tokens = np.random.default_rng(0).integers(-100, 100, (4, 1))
    for arithmetic in ARITHMETICS:
        top = arithmetic.message_max
        placement = place(layer(arithmetic)[0], crowded(3, 7))
        for mode in Mode:
            simulate(placement, np.clip(random_tokens, -top, top), mode)
    assert len(s.run_steps.signatures) == 1


def test_columns_are_distinct_and_complete():
    names = [name for name in vars(s) if name.isupper() and name not in ("FAST", "COLUMNS")]
    columns = {getattr(s, name) for name in names if not name.endswith("_KIND")}
    assert columns == set(range(s.COLUMNS))
    kinds = [getattr(s, name) for name in names if name.endswith("_KIND")]
    assert sorted(kinds) == list(range(6))
    assert len(kinds) == len(Kind)


def test_threads_do_not_meet():
    """The steps release Python's lock; runs of one placement share nothing that is written."""
    program = random_program(np.random.default_rng(3), channels=16, modes=8, layers=2)
    placement = place(program, crowded(30, 90))
    inputs = np.random.default_rng(4).integers(-2000, 2000, (8, 200, 1))
    alone = [simulate(placement, u, Mode.PIPELINED) for u in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda u: simulate(placement, u, Mode.PIPELINED), inputs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.activity.synops, other.activity.synops)
        assert one.state == other.state
    assert len(populations(program)) == 9
