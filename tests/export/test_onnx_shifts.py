"""The shifts in ONNX operators against the primitives, for all that a legal program may hold."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ns4d.export.onnx.engine import open_session
from ns4d.export.onnx.graph import Graph
from ns4d.export.onnx.shifts import shift_floor, shift_half_up, shift_toward_zero
from ns4d.numerics import PRODUCT_MAX, primitives

KINDS = {
    "toward zero": (lambda g, p, s, bound: shift_toward_zero(g, p, s), "shift_toward_zero"),
    "floor": (shift_floor, "shift_floor"),
    "half up": (shift_half_up, "shift_half_up"),
}


def model_of(kind: str, shift: np.ndarray, bound: int) -> onnx.ModelProto:
    graph = Graph("shift")
    p = graph.input("p", np.int64, "l", len(shift))
    graph.node("Identity", KINDS[kind][0](graph, p, shift, bound), out="shifted")
    graph.output("shifted", np.int64, "l", len(shift))
    return graph.model("A shift.", {})


def edges(bound: int, shift: np.ndarray) -> np.ndarray:
    """(l, s): around zero, around multiples and halves of every unit, at the bound."""
    units = [1 << int(s) for s in shift]
    near = [k * unit // 2 + d for unit in units for k in range(-5, 6) for d in (-1, 0, 1)]
    values = [p for p in (*near, bound, -bound, bound - 1, 1 - bound) if abs(p) <= bound]
    return np.repeat(np.array(values, np.int64)[:, None], len(shift), axis=1)


@pytest.mark.parametrize("kind", KINDS)
@given(
    shift=st.lists(st.integers(0, 62), min_size=1, max_size=4),
    bound=st.integers(0, 62).map(lambda bits: 1 << bits) | st.integers(0, PRODUCT_MAX),
)
@example(shift=[62], bound=PRODUCT_MAX)
@example(shift=[0, 61, 62], bound=PRODUCT_MAX)
@example(shift=[0], bound=0)
def test_every_shift_has_the_bits_of_its_primitive(kind: str, shift: list[int], bound: int) -> None:
    by = np.array(shift, np.int64)
    p = edges(bound, by)
    (got,) = open_session(model_of(kind, by, bound)).run(None, {"p": p})
    np.testing.assert_array_equal(got, getattr(primitives, KINDS[kind][1])(p, by))


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_mod_is_used_where_there_is_no_room_alone() -> None:
    by = np.array([62])
    assert "Mod" in operators(model_of("floor", by, PRODUCT_MAX))
    assert "Mod" in operators(model_of("half up", by, PRODUCT_MAX))
    assert operators(model_of("half up", by, PRODUCT_MAX // 4)) == ["Add", "Div", "Sub", "Identity"]


def test_a_shift_by_nothing_is_nothing() -> None:
    for kind in KINDS:
        assert operators(model_of(kind, np.array([0, 0]), 5)) == ["Identity"]


def test_equal_shifts_are_one_constant() -> None:
    model = model_of("toward zero", np.array([3, 3]), 5)
    assert [list(constant.dims) for constant in model.graph.initializer] == [[]]
    model = model_of("toward zero", np.array([3, 4]), 5)
    assert [list(constant.dims) for constant in model.graph.initializer] == [[2]]
