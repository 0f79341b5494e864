"""A graph that grows node by node: every value gets a name, every array becomes a constant.

Only the standard operators of one operator set are used, so that any complete runtime can run it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 18
IR_VERSION = 8
PRODUCER = "ns4d"

Axis = int | str
Operand = str | np.ndarray | np.generic


class Graph:
    """Collects the parts of a model, or of the body of a loop.

    Args:
        name: Of the graph.
        prefix: What every name in it begins with: the body of a loop must not repeat a name of
            the graph around it.
        streams: What stands for the axis "b".
    """

    def __init__(self, name: str, prefix: str = "", streams: Axis = "b") -> None:
        self._name, self._prefix, self._streams = name, prefix, streams
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def input(self, name: str, kind: type[np.generic], *shape: Axis) -> str:
        """An input of that type; an axis of unknown length has a name."""
        name = f"{self._prefix}{name}"
        self._inputs.append(self._described(name, kind, shape))
        return name

    def output(self, name: str, kind: type[np.generic], *shape: Axis) -> str:
        """Declare a value an output."""
        name = f"{self._prefix}{name}"
        self._outputs.append(self._described(name, kind, shape))
        return name

    def constant(self, value: np.ndarray | np.generic, name: str = "") -> str:
        """A constant; a name or a scalar that comes again is stored once."""
        array = np.asarray(value)
        if not name:
            text = str(array) if array.ndim == 0 else f"constant_{len(self._constants)}"
            name = f"{array.dtype.name}_{text}"
        name = f"{self._prefix}{name}"
        if name not in self._constants:
            # NumPy would make a scalar an array of one value.
            whole = array if array.ndim == 0 else np.ascontiguousarray(array)
            self._constants[name] = numpy_helper.from_array(whole, name)
        return name

    def node(self, kind: str, *operands: Operand, out: str = "", **attributes: Any) -> str:
        """Apply an operator with one result.

        Args:
            kind: Name of a standard operator.
            operands: Names of values, or constants.
            out: Name of the result.
            attributes: As the operator wants them.

        Returns:
            The name of the result.
        """
        out = out or f"{kind}_{len(self._nodes)}"
        return self.nodes(kind, operands, [out], **attributes)[0]

    def nodes(
        self, kind: str, operands: Iterable[Operand], out: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Apply an operator with several results; returns their names."""
        names = [x if isinstance(x, str) else self.constant(x) for x in operands]
        results = [f"{self._prefix}{name}" for name in out]
        self._nodes.append(helper.make_node(kind, names, results, **attributes))
        return results

    def body(self) -> onnx.GraphProto:
        """All of it, to be the body of a loop."""
        constants = list(self._constants.values())
        parts = self._nodes, self._name, self._inputs, self._outputs, constants
        return helper.make_graph(*parts)

    def model(self, description: str, facts: Mapping[str, str]) -> onnx.ModelProto:
        """All of it as a model that the checker accepts, shapes inferred.

        Args:
            description: For who opens the file.
            facts: Entries of its metadata.
        """
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(self.body(), opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name, model.doc_string = PRODUCER, description
        helper.set_model_props(model, dict(facts))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _described(
        self, name: str, kind: type[np.generic], shape: Sequence[Axis]
    ) -> onnx.ValueInfoProto:
        code = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        axes = [self._streams if axis == "b" else axis for axis in shape]
        return helper.make_tensor_value_info(name, code, axes)
