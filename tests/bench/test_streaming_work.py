"""Bytes, products and bounds agree with the plan that the native engine follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ns4d.bench.streaming_subjects import Subject
from ns4d.bench.streaming_work import (
    PATHS,
    VECTOR_BYTES,
    Work,
    bounds,
    messages_sent,
    work_per_token,
)
from ns4d.engines import Reference
from ns4d.engines.native import plan as p
from ns4d.engines.native.kernels import KERNELS
from ns4d.engines.native.pack import pack
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import Program
from ns4d.quantize import Options, post_training_quantize
from quantize_networks import make_dataset, make_network
from streaming_subject import CONFIG, tiny_subject

LIMITS = {
    "bandwidth": {
        "L1": {"holds_bytes": 1000, "read": 100.0, "copy": 200.0},
        "L2": {"holds_bytes": 10_000, "read": 10.0, "copy": 20.0},
        "DRAM": {"holds_bytes": 1 << 62, "read": 1.0, "copy": 2.0},
    },
    "vectors": {"products": 50.0, "floats": 20.0, "words": 80.0},
}
WORK = Work(
    coefficient_bytes=300,
    state_bytes=100,
    weight_bytes=200,
    products=4000,
    vector_products=500,
    vector_floats=100,
    vector_words=100,
    footprint=900,
)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return tiny_subject()


@pytest.fixture(scope="module")
def loihi2(subject: Subject) -> dict[bool, Program]:
    """Whether B is folded -> program."""
    found = [p for p in subject.programs.values() if p.arithmetic == LOIHI2]
    return {not node.b_im.any(): program for program in found for node in program.recurrent[:1]}


def work_of(program: Program, subject: Subject) -> Work:
    work = work_per_token(program, messages_sent(program, subject.tokens))
    assert work is not None
    return work


def states(blocks_of: int = 8) -> int:
    """Complex states with the channels filled up to whole blocks."""
    return CONFIG.layers * p.padded(CONFIG.channels, blocks_of) * CONFIG.modes


def test_both_forms_of_b_are_benchmarked(loihi2: dict[bool, Program]) -> None:
    assert set(loihi2) == {False, True}


def test_work_per_state_in_single_precision(loihi2: dict[bool, Program], subject: Subject) -> None:
    """16 bytes of a and c, 8 more of b unless it is folded; 8 bytes of state."""
    for folded, coefficients, products in ((True, 16, 6), (False, 24, 8)):
        sent = messages_sent(loihi2[folded], subject.tokens)
        work = work_per_token(loihi2[folded], {name: 0 * m for name, m in sent.items()})
        assert work is not None
        assert work.coefficient_bytes == coefficients * states()
        assert work.state_bytes == 8 * states()
        assert work.products == products * states() == 8 * work.vector_products


def test_a_state_takes_as_many_bytes_as_the_engine_gives_it(
    loihi2: dict[bool, Program], subject: Subject
) -> None:
    for program in loihi2.values():
        plan, work = pack(program), work_of(program, subject)
        assert work.state_bytes == plan.scores
        assert work.footprint == len(plan.parameters) + plan.state_bytes
        assert work.coefficient_bytes + work.weight_bytes < work.footprint


def test_weights_of_zero_messages_are_not_counted(
    loihi2: dict[bool, Program], subject: Subject
) -> None:
    program = loihi2[True]
    sent = messages_sent(program, subject.tokens)
    silent = {name: np.zeros_like(m) for name, m in sent.items()}
    loud = {name: np.ones_like(m) for name, m in sent.items()}
    bytes_ = []
    for messages in (silent, sent, loud):
        work = work_per_token(program, messages)
        assert work is not None
        bytes_.append(work.weight_bytes)
    # Inputs and channels are 2 and 6; outputs are filled up to 4 blocks of 8.
    pairs = 1 + 3 * CONFIG.layers + 3
    assert bytes_[0] == 0 < bytes_[1] < bytes_[2] == pairs * 4 * VECTOR_BYTES


def test_messages_are_those_of_the_definition(subject: Subject) -> None:
    for program in subject.programs.values():
        sent = messages_sent(program, subject.tokens)
        u = program.quantize_input(subject.tokens)
        expected = {"input": u, **Reference().trace(program, u)}
        assert list(sent) == list(expected)
        for name, m in expected.items():
            np.testing.assert_array_equal(sent[name], m)


PLAIN = {p.PLAIN_EACH, p.PLAIN_SUM, p.PLAIN_DENSE, p.PLAIN_ADD, p.READ_PLAIN}
BROAD = replace(LOIHI2, name="broad", message_bits=20, accumulator_bits=40)
TALL = replace(LOIHI2, name="tall", state_bits=32)
# A residual network or not, its profile, its certificate, the plain paths that its program takes.
PLAIN_CASES = [
    (False, LOIHI2, None, set()),
    (False, WIDE, None, set()),
    (True, LOIHI2, None, {p.PLAIN_ADD}),
    (False, TALL, False, {p.PLAIN_EACH}),
    (False, WIDE, False, {p.PLAIN_SUM}),
    (False, BROAD, None, {p.PLAIN_EACH, p.PLAIN_DENSE, p.READ_PLAIN}),
]


def test_every_path_of_the_engine_is_counted_or_plain() -> None:
    counted = {*PATHS, p.PAIRS, p.READ_PAIRS}
    assert counted | PLAIN == set(KERNELS)
    assert not counted & PLAIN
    assert set().union(*(taken for *_, taken in PLAIN_CASES)) == PLAIN


@pytest.mark.parametrize(("residual", "arithmetic", "certified", "taken"), PLAIN_CASES)
def test_nothing_is_counted_on_a_plain_path(
    residual: bool, arithmetic: Arithmetic, certified: bool | None, taken: set[int]
) -> None:
    config = replace(CONFIG, residual=residual)
    network, data = make_network(config, seed=0), make_dataset(config)
    program = post_training_quantize(network, data, arithmetic, Options(certified=certified))
    assert PLAIN & set(pack(program).paths) == taken
    work = work_per_token(program, messages_sent(program, data.train.tokens.astype(float)))
    assert (work is None) == bool(taken)


def test_a_path_has_whole_vectors() -> None:
    for path in PATHS.values():
        assert path.lanes in (4, 8)
        assert path.parameter_vectors * VECTOR_BYTES % path.lanes == 0


def test_the_bounds_by_hand() -> None:
    assert bounds(WORK, LIMITS) == ("L1", 500 / 100 + 200 / 200, 500 / 50)
    assert WORK.bytes_moved == 300 + 100 + 100 + 200


@pytest.mark.parametrize(
    ("change", "computing"),
    [({"vector_products": 5000}, 100), ({"vector_floats": 400}, 20), ({"vector_words": 960}, 12)],
)
def test_the_busiest_unit_bounds_the_computation(change: dict, computing: float) -> None:
    assert bounds(replace(WORK, **change), LIMITS)[2] == computing


@pytest.mark.parametrize(
    ("footprint", "level", "slower"),
    [(1000, "L1", 1), (1001, "L2", 10), (10_000, "L2", 10), (10_001, "DRAM", 100)],
)
def test_a_larger_program_is_bound_by_a_slower_level(
    footprint: int, level: str, slower: int
) -> None:
    found, moving, computing = bounds(replace(WORK, footprint=footprint), LIMITS)
    assert (found, computing) == (level, 10)
    assert moving == 6 * slower
