"""Illegal programs cannot be built; legal ones know their sizes, ranges and identity."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.engines import trace
from ns4d.engines.reference import accumulate
from ns4d.errors import ConfigError, RangeError, ShapeError
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import Add, Dense, Descale, Metadata, Program, Readout, dense_bound
from program_strategies import messages, programs, random_program


@pytest.fixture
def program():
    return random_program(np.random.default_rng(7), inputs=2, layers=1)


def with_node(program, index, **changes):
    """The program with one node changed."""
    nodes = list(program.nodes)
    nodes[index] = replace(nodes[index], **changes)
    return replace(program, nodes=tuple(nodes))


def put(array, index, value):
    """A copy of an array with one element replaced."""
    copy = array.copy()
    copy[index] = value
    return copy


def test_sizes(program):
    assert (program.inputs, program.channels) == (2, (4, 4, 4))
    assert program.classes == ("class 0", "class 1", "class 2")
    assert [node.name for node in program.recurrent] == ["layer0.ssm"]


def test_parameter_bytes_count_every_stored_bit(program):
    weights, biases = 4 * 2 + 4 * 4 + 3 * 4, 4 + 4 + 3
    coefficients = 6 * 4 * 3 + 4
    bits = weights * 8 + biases * 24 + coefficients * 16 + 3 * 4 * (16 + 12)
    assert program.parameter_bytes == -(-bits // 8)


def test_widths_that_do_not_chain_are_refused(program):
    with pytest.raises(
        ShapeError,
        match=r"^node 'layer0\.mix': expected 2 inputs, as many as the outputs of input, got 4\. "
        r"Check the order of the nodes\.$",
    ):
        replace(program, nodes=program.nodes[2:])
    with pytest.raises(
        ShapeError, match=r"^readout: expected 2 inputs, as many as the outputs of input, got 4\."
    ):
        replace(program, nodes=())
    with pytest.raises(
        ShapeError, match=r"^metadata classes: expected 3 names, one per row .* 1\."
    ):
        replace(program, metadata=Metadata("random", ("one",)))


def test_two_nodes_of_one_name_are_refused(program):
    with pytest.raises(
        ConfigError, match=r"^program nodes: expected distinct names, got 'encoder'"
    ):
        with_node(program, 2, name="encoder")


WIDE_VALUES = [
    (0, "weight", (3, 1), -128, "weight_bits 8", 127),
    (0, "bias", (2,), 2**23, "accumulator_bits 24", 2**23 - 1),
    *(
        (1, field, (1, 2), -(2**15), "coefficient_bits 16", 2**15 - 1)
        for field in ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im")
    ),
    (1, "d", (1,), 2**15, "coefficient_bits 16", 2**15 - 1),
]


@pytest.mark.parametrize(
    ("node", "field", "index", "value", "width", "top"),
    WIDE_VALUES,
    ids=[case[1] for case in WIDE_VALUES],
)
def test_integers_too_wide_are_refused(program, node, field, index, value, width, top):
    name = program.nodes[node].name
    place = ", ".join(map(str, index)) + ("," if len(index) == 1 else "")
    with pytest.raises(
        RangeError,
        match=rf"^node '{name}' {field}, index \({place}\): expected {-top} to {top}, "
        rf"got {value}\. The profile 'loihi2' has {width}; quantize for it\.$",
    ):
        with_node(program, node, **{field: put(getattr(program.nodes[node], field), index, value)})


@pytest.mark.parametrize(
    ("field", "value", "width"),
    [("multiplier", 2**15, "multiplier_bits 16"), ("limit", 2**11, "message_bits 12")],
)
def test_descaling_too_wide_is_refused(program, field, value, width):
    descale = program.nodes[1].descale
    with pytest.raises(
        RangeError,
        match=rf"^node 'layer0\.ssm' descale {field}, index \(3,\): expected .*{width}; quantize",
    ):
        with_node(
            program, 1, descale=replace(descale, **{field: put(getattr(descale, field), 3, value)})
        )


def test_a_read_out_too_wide_is_refused(program):
    readout = program.readout
    with pytest.raises(RangeError, match=r"^readout weight, index \(0, 2\): expected -127 to 127"):
        replace(program, readout=Readout(put(readout.weight, (0, 2), 128), readout.bias))
    with pytest.raises(
        RangeError, match=r"^readout bias, index \(1,\): expected -8388607 to 83886"
    ):
        replace(program, readout=Readout(readout.weight, put(readout.bias, 1, -(2**23))))


def dense_program(weight, bias, arithmetic=LOIHI2):
    """One dense node behind the input, every accumulator known by hand."""
    outputs, inputs = weight.shape
    whole = random_program(np.random.default_rng(0), arithmetic, inputs=inputs, layers=0)
    descale = Descale(np.ones(outputs, int), 0, np.ones(outputs, int), relu=True)
    return Program(
        arithmetic,
        whole.input,
        (Dense("encoder", weight, bias, descale),),
        Readout(np.ones((3, outputs), int), np.zeros(3, int)),
        whole.metadata,
    )


def test_an_accumulator_is_proved_to_the_last_unit():
    weight = np.full((2, 32), 127)
    room = LOIHI2.accumulator_max - 127 * 32 * 2047
    program = dense_program(weight, np.array([0, room]))
    assert program.ranges[0].accumulator.tolist() == [127 * 32 * 2047, LOIHI2.accumulator_max]
    with pytest.raises(
        RangeError,
        match=r"^node 'encoder', channel 1: expected an accumulator proved within 8388607 "
        r"\(accumulator_bits 24\), got a bound of 8388608\. Lower the limit of the node before it",
    ):
        dense_program(weight, np.array([0, room + 1]))


def test_a_read_out_accumulator_is_proved(program):
    layers = random_program(np.random.default_rng(0), channels=40, layers=0, classes=2)
    with pytest.raises(
        RangeError, match=r"^node 'readout', channel 0: expected an accumulator pro"
    ):
        replace(
            layers,
            nodes=(
                replace(
                    layers.nodes[0],
                    descale=replace(layers.nodes[0].descale, limit=np.full(40, 2047)),
                ),
            ),
            readout=Readout(np.full((2, 40), 127), np.zeros(2, int)),
        )


def test_a_reduction_that_could_overflow_is_refused(program):
    shifts = program.nodes[1].c_shift.copy()
    shifts[2] = 0
    with pytest.raises(
        RangeError, match=r"^node 'layer0\.ssm', channel 2: expected an accumulator proved within"
    ):
        with_node(program, 1, c_shift=shifts)


def test_a_64_bit_sum_that_could_overflow_is_refused():
    program = random_program(np.random.default_rng(7), WIDE, layers=1)
    shifts = np.full(4, 62)
    with pytest.raises(
        RangeError,
        match=r"^node 'layer0\.ssm' state update \(a_shift, b_shift\): aligned 64-bit sum, index "
        r"\(0, 0\): expected 0 to 4611686018427387904, got \d+\. Bring the two shifts closer",
    ):
        with_node(program, 1, b_shift=shifts)
    with pytest.raises(RangeError, match=r"output \(c_shift, d_shift\): aligned 64-bit sum, index"):
        with_node(program, 1, d_shift=shifts)


def test_a_saturating_program_says_so():
    program = random_program(np.random.default_rng(5), layers=1, saturating=True)
    calm = random_program(np.random.default_rng(5), layers=1)
    assert program.ranges[1].may_saturate > 0
    assert [node.may_saturate for node in calm.ranges] == [0, 0, 0, 0]
    assert [node.name for node in calm.ranges] == ["encoder", "layer0.ssm", "layer0.mix", "readout"]


@settings(max_examples=25)
@given(data=st.data())
def test_no_message_or_accumulator_leaves_the_certificate(data):
    program = data.draw(programs())
    u = data.draw(messages(program))
    before, traced = u, trace(program, u)
    for node, proved in zip(program.nodes, program.ranges, strict=False):
        sent = traced[node.name]
        assert (np.abs(sent) <= node.descale.limit).all()
        assert not node.descale.relu or (sent >= 0).all()
        if isinstance(node, Dense):
            for token in np.moveaxis(before, 1, 0):
                v = accumulate(node.weight, token) + node.bias
                assert (np.abs(v) <= proved.accumulator).all()
        before = sent


def test_safe_tokens_keep_the_scores_in_64_bits(program):
    readout = program.readout
    bound = dense_bound(readout.weight, readout.bias, program.nodes[-1].descale.limit).max()
    assert program.safe_tokens == (2**63 - 1) // int(bound)
    silent = replace(program, readout=Readout(0 * readout.weight, 0 * readout.bias))
    assert silent.safe_tokens == 2**63 - 1


def test_equal_programs_have_equal_digests(program):
    twin = random_program(np.random.default_rng(7), inputs=2, layers=1)
    assert twin == program
    assert hash(twin) == hash(program)
    assert len({twin, program}) == 1
    assert program != "a program"


def test_every_change_shows_in_the_digest(program):
    metadata, quantizer = program.metadata, program.input
    node = program.nodes[1]
    others = [
        replace(program, arithmetic=replace(LOIHI2, name="other")),
        replace(program, input=replace(quantizer, offset=quantizer.offset + 1)),
        replace(program, input=replace(quantizer, scale=quantizer.scale * 2)),
        replace(program, metadata=replace(metadata, task="other")),
        replace(program, metadata=replace(metadata, provenance={"seed": 1})),
        replace(program, metadata=replace(metadata, classes=("a", "b", "c"))),
        replace(program, readout=replace(program.readout, bias=program.readout.bias + 1)),
        with_node(program, 1, name="other"),
        with_node(program, 1, a_re=put(node.a_re, (0, 0), 0)),
        with_node(program, 1, descale=replace(node.descale, relu=not node.descale.relu)),
        with_node(program, 1, descale=replace(node.descale, shift=node.descale.shift + 1)),
    ]
    assert len({program.digest, *(other.digest for other in others)}) == 1 + len(others)


def test_a_program_cannot_be_changed(program):
    with pytest.raises(FrozenInstanceError):
        program.nodes = ()


def test_an_add_takes_an_earlier_node_of_its_width():
    program = random_program(np.random.default_rng(0), layers=1, residual=True)
    add = program.nodes[-1]
    assert isinstance(add, Add)
    for source in ("nobody", add.name):
        wrong = (*program.nodes[:-1], replace(add, source=source))
        with pytest.raises(ShapeError, match=rf"^node 'layer0.add' source: .* got '{source}' with"):
            replace(program, nodes=wrong)


def test_the_sum_of_an_add_is_proved():
    program = random_program(np.random.default_rng(0), layers=1, residual=True)
    add = program.nodes[-1]
    limits = {node.name: node.descale.limit for node in program.nodes}
    before = limits[program.nodes[-2].name]
    bound = np.abs(add.weight) * before + np.abs(add.skip) * limits[add.source]
    np.testing.assert_array_equal(program.ranges[-2].accumulator, bound)
    narrow = replace(program.arithmetic, name="narrow", accumulator_bits=12)
    with pytest.raises(RangeError, match=r"^node '.*accumulator"):
        replace(program, arithmetic=narrow)
