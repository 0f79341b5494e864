"""A graph that grows: names, constants, types, and the checker at its end."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ns4d.export.onnx.engine import open_session
from ns4d.export.onnx.graph import IR_VERSION, OPSET, PRODUCER, Graph


@pytest.fixture
def graph() -> Graph:
    made = Graph("example")
    made.input("x", np.int64, "b", 3)
    return made


def finished(graph: Graph, result: str) -> onnx.ModelProto:
    graph.node("Identity", result, out="y")
    graph.output("y", np.int64, "b", 3)
    return graph.model("An example.", {"key": "value"})


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {part.name: numpy_helper.to_array(part) for part in model.graph.initializer}


def test_a_model_computes_what_was_added(graph):
    doubled = graph.node("Mul", "x", np.int64(2))
    model = finished(graph, graph.node("Add", doubled, np.array([1, 2, 3])))
    (y,) = open_session(model).run(None, {"x": np.array([[1, 1, 1], [-1, 0, 5]])})
    np.testing.assert_array_equal(y, [[3, 4, 5], [-1, 2, 13]])


def test_a_model_says_what_it_is(graph):
    model = finished(graph, "x")
    assert (model.producer_name, model.ir_version) == (PRODUCER, IR_VERSION)
    assert model.opset_import[0].version == OPSET
    assert model.doc_string == "An example."
    assert {entry.key: entry.value for entry in model.metadata_props} == {"key": "value"}
    assert model.graph.name == "example"


def test_a_scalar_is_stored_once(graph):
    one = graph.node("Add", "x", np.int64(7))
    two = graph.node("Add", one, np.int64(7))
    three = graph.node("Add", two, np.array(7))
    assert list(constants(finished(graph, three))) == ["int64_7"]


def test_scalars_of_other_types_stay_apart(graph):
    assert graph.constant(np.int64(1)) != graph.constant(np.float32(1))
    assert graph.constant(np.int64(1)) != graph.constant(np.array([1]))
    assert graph.constant(np.array([1])) != graph.constant(np.array([2]))


def test_a_named_constant_is_stored_once(graph):
    weight = np.arange(3)
    first, second = (graph.constant(weight, "node/weight") for _ in range(2))
    assert first == second == "node/weight"
    total = graph.node("Mul", graph.node("Mul", "x", first), second)
    (stored,) = constants(finished(graph, total)).values()
    np.testing.assert_array_equal(stored, weight)


def test_shapes_and_order_of_a_constant_are_kept(graph):
    turned = np.arange(6).reshape(2, 3).T
    graph.constant(turned, "turned")
    graph.constant(np.float64(0.5), "half")
    stored = constants(finished(graph, "x"))
    np.testing.assert_array_equal(stored["turned"], turned)
    assert stored["half"].shape == ()


def test_every_result_has_a_name_of_its_own(graph):
    names = [graph.node("Abs", "x") for _ in range(5)]
    assert len(set(names)) == 5
    assert graph.node("Neg", "x", out="mine") == "mine"


def test_an_operator_may_have_several_results(graph):
    first, second = graph.nodes("Split", ["x"], ["a", "b"], axis=0, num_outputs=2)
    assert (first, second) == ("a", "b")
    model = finished(graph, graph.node("Sub", first, second))
    (y,) = open_session(model).run(None, {"x": np.array([[5, 5, 5], [1, 2, 3]])})
    np.testing.assert_array_equal(y, [[4, 3, 2]])


def test_the_names_of_a_body_begin_with_its_prefix():
    body = Graph("token", prefix="token.")
    x = body.input("x", np.int64, "b")
    result = body.node("Add", x, np.int64(1), out="y")
    body.output("y", np.int64, "b")
    made = body.body()
    assert (x, result) == ("token.x", "token.y")
    names = [made.input[0].name, made.output[0].name, made.initializer[0].name]
    assert all(name.startswith("token.") for name in names)


def axes(value: onnx.ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_an_axis_is_a_number_or_a_name(graph):
    assert axes(finished(graph, "x").graph.input[0]) == ["b", 3]


def test_the_streams_may_be_a_number():
    graph = Graph("one", streams=1)
    graph.input("x", np.int64, "b", 3)
    assert axes(finished(graph, "x").graph.input[0]) == [1, 3]


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64, np.bool_])
def test_types_are_those_of_numpy(kind):
    graph = Graph("typed")
    graph.input("x", kind, 2)
    graph.node("Identity", "x", out="y")
    graph.output("y", kind, 2)
    code = graph.model("", {}).graph.input[0].type.tensor_type.elem_type
    assert onnx.helper.tensor_dtype_to_np_dtype(code) == np.dtype(kind)


def test_the_checker_refuses_an_operator_that_is_not_standard(graph):
    with pytest.raises(onnx.checker.ValidationError, match="Widget"):
        finished(graph, graph.node("Widget", "x"))


def test_the_checker_refuses_mixed_types(graph):
    with pytest.raises(Exception, match=r"(?i)type"):
        finished(graph, graph.node("Add", "x", np.float32(1)))


def test_the_checker_refuses_a_value_that_nothing_makes(graph):
    with pytest.raises(onnx.checker.ValidationError, match="nowhere"):
        finished(graph, graph.node("Abs", "nowhere"))
