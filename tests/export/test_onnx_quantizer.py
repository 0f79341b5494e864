"""(0) in ONNX operators: the messages of `Program.quantize_input`, to the last tie."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from ns4d.export.onnx.engine import open_session
from ns4d.export.onnx.graph import Graph
from ns4d.export.onnx.quantizer import add_quantizer
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import InputQuantizer
from ns4d.program.tokens import admit

LARGEST = np.finfo(np.float64).max
HALF = 0.5
# The double below ½ must become 0, a tie must leave zero, what overflows must saturate.
HARD = [
    *(k + HALF for k in range(-4, 5)),
    np.nextafter(HALF, 0),
    -np.nextafter(HALF, 0),
    np.nextafter(HALF, 1),
    np.nextafter(1.5, 0),
    0.0,
    -0.0,
    5e-324,
    2046.5,
    np.nextafter(2047.5, 0),
    2047.5,
    -2047.5,
    2**52 + 0.5,
    LARGEST,
    -LARGEST,
]
QUANTIZERS = {
    "as they are": InputQuantizer(np.zeros(1), np.ones(1)),
    "thirds": InputQuantizer(np.array([0.1]), np.array([1 / 3])),
    "overflow": InputQuantizer(np.array([0.5]), np.array([1e-300])),
}


@cache
def session(name: str, arithmetic: Arithmetic) -> onnxruntime.InferenceSession:
    return open_session(model(name, arithmetic))


def model(name: str, arithmetic: Arithmetic):
    graph = Graph("quantizer")
    x = graph.input("x", np.float64, "l", 1)
    assert add_quantizer(graph, arithmetic, QUANTIZERS[name], x) == "u"
    graph.output("u", np.int64, "l", 1)
    return graph.model("Quantize.", {})


def messages(name: str, arithmetic: Arithmetic, x: np.ndarray) -> np.ndarray:
    return session(name, arithmetic).run(None, {"x": x})[0]


@pytest.mark.parametrize("name", QUANTIZERS)
@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE])
def test_hard_cases_have_the_bits_of_the_definition(name: str, arithmetic: Arithmetic) -> None:
    x = np.array(HARD)[:, None]
    with np.errstate(over="ignore"):
        expected = admit(arithmetic, QUANTIZERS[name], x)
    np.testing.assert_array_equal(messages(name, arithmetic, x), expected)
    assert len(set(expected.ravel().tolist())) > 2


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_any_double_has_the_bits_of_the_definition(values: list[float]) -> None:
    x = np.array(values)[:, None]
    with np.errstate(over="ignore"):
        for name, quantizer in QUANTIZERS.items():
            expected = admit(LOIHI2, quantizer, x)
            np.testing.assert_array_equal(messages(name, LOIHI2, x), expected)


@given(st.lists(st.integers(-4094, 4094), min_size=1, max_size=20))
def test_multiples_of_a_half_have_the_bits_of_the_definition(halves: list[int]) -> None:
    x = np.array(halves)[:, None] / 2
    expected = np.sign(x) * np.floor(np.abs(x) + 0.5)
    np.testing.assert_array_equal(messages("as they are", LOIHI2, x), expected)


def test_the_specification_agrees_with_the_runtime() -> None:
    x = np.array(HARD)[:, None]
    with np.errstate(over="ignore"):
        (got,) = ReferenceEvaluator(model("thirds", LOIHI2)).run(None, {"x": x})
    np.testing.assert_array_equal(got, messages("thirds", LOIHI2, x))
