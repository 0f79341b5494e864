"""The form of the models: standard operators, declared shapes, the state in and out, metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import numpy as np
import onnx
import pytest

from model_variants import PAPER, build
from ns4d.engines.state import zero_state
from ns4d.export.onnx.engine import open_session
from ns4d.export.onnx.graph import IR_VERSION, OPSET
from ns4d.export.onnx.models import float_token, integer_token
from ns4d.export.onnx.unrolled import Token, chunk_model, sequence_model, step_model
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import Program
from ns4d.trained import chain_of_network
from program_strategies import random_program

KINDS = {"step": step_model, "chunk": chunk_model, "sequence": sequence_model}
NAMES = ("loihi2", "wide, real", "network")


@cache
def program_of(name: str) -> Program:
    profile = {"loihi2": LOIHI2, "wide, real": WIDE}[name]
    return random_program(np.random.default_rng(0), profile, inputs=2, layers=2, residual=True)


@cache
def token_of(name: str) -> Token:
    if name == "network":
        return float_token(chain_of_network(build(PAPER), "letters"))
    return integer_token(program_of(name), real=name.endswith("real"))


@cache
def model_of(kind: str, name: str) -> onnx.ModelProto:
    return KINDS[kind](token_of(name))


@pytest.fixture(params=[(kind, name) for kind in KINDS for name in NAMES], ids=", ".join)
def model(request) -> onnx.ModelProto:
    return model_of(*request.param)


def nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from nodes_of(attribute.g)


def test_the_checker_accepts_it_with_shapes_inferred(model):
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    known = {value.name for value in inferred.graph.value_info}
    assert known, "nothing was inferred"


def test_every_operator_is_standard_and_of_the_stated_set(model):
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert model.ir_version == IR_VERSION
    for node in nodes_of(model.graph):
        assert node.domain == ""
        schema = onnx.defs.get_schema(node.op_type, OPSET)
        assert not schema.deprecated
        assert schema.since_version <= OPSET


@pytest.mark.parametrize("name", ["loihi2", "wide, real"])
def test_the_nodes_of_a_program_know_no_floats(name):
    """Only (0) does, in front of them."""
    scan = next(n for n in model_of("chunk", name).graph.node if n.op_type == "Scan")
    kinds = {tensor.data_type for tensor in scan.attribute[0].g.initializer}
    assert kinds == {onnx.TensorProto.INT64}
    assert "Cast" not in {node.op_type for node in nodes_of(scan.attribute[0].g)}


def test_names_are_unique_across_the_loop(model):
    results = [name for node in nodes_of(model.graph) for name in node.output]
    assert len(results) == len(set(results))


def declared(values) -> dict[str, list[int | str]]:
    return {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in values
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_outputs_are_declared(kind, name):
    token, model = token_of(name), model_of(kind, name)
    time = [] if kind == "step" else ["l"]
    state = {} if kind == "sequence" else token.state
    into = {"tokens": ["b", *time, token.inputs]}
    into |= {part: list(shape) for part, shape in state.items()}
    out = {"scores": ["b", *time, token.classes]}
    out |= {f"new/{part}": list(shape) for part, shape in state.items()}
    out |= {"last": ["b", token.classes]} if kind == "sequence" else {}
    assert declared(model.graph.input) == into
    assert declared(model.graph.output) == out


def test_the_state_has_the_names_of_the_state():
    names = zero_state(program_of("loihi2"), 1).to_arrays()
    assert set(token_of("loihi2").state) == set(names)


def test_the_metadata_say_what_it_is():
    program, model = program_of("wide, real"), model_of("step", "wide, real")
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["ns4d.digest"] == program.digest
    assert facts["ns4d.arithmetic"] == "wide"
    assert tuple(json.loads(facts["ns4d.classes"])) == program.classes
    assert facts["ns4d.tokens"] == "real numbers, double"
    assert int(facts["ns4d.safe_tokens"]) == program.safe_tokens
    assert int(facts["ns4d.message_max"]) == program.arithmetic.message_max
    assert model.producer_name == "ns4d"
    network = {entry.key: entry.value for entry in model_of("step", "network").metadata_props}
    assert network["ns4d.task"] == "letters"
    assert "ns4d.digest" not in network


def test_the_number_of_streams_can_be_fixed():
    model = step_model(token_of("network"), streams=1)
    shapes = declared(model.graph.input)
    assert shapes["tokens"] == [1, 2]
    assert shapes["tokens_seen"] == []
    assert all(shape[:1] in ([1], []) for shape in shapes.values())


def test_a_trace_gives_every_message():
    token = token_of("loihi2")
    session = open_session(chunk_model(token, trace=True))
    widths = {output.name: output.shape[-1:] for output in session.get_outputs()}
    for name, width in token.sent.items():
        assert widths[f"sent/{name}"] == [width]


def test_the_same_program_gives_the_same_bytes():
    again = step_model(integer_token(program_of("loihi2")))
    assert again.SerializeToString() == model_of("step", "loihi2").SerializeToString()
