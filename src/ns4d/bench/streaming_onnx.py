"""The ONNX Runtime baseline: one float32 step as a graph whose state goes in, then out.

Equations of `ns4d.bench.streaming_float`, real arithmetic. Vectors are columns (h, 1), so that a
linear layer is one MatMul without a transpose. The state of layer k goes in as re_k, im_k and
comes out as new_re_k, new_im_k; `inverse` is 1/T for the running mean.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from ns4d.bench.streaming_float import FloatLayer, FloatParameters

OPSET = 18
OUT = "new_"


def step_graph(parameters: FloatParameters) -> onnx.ModelProto:
    """The step as a checked model."""
    p, graph = parameters, _Graph()
    graph.input("token", p.inputs, 1)
    graph.input("inverse", 1)
    h = graph.linear("encoder", p.encoder_weight, p.encoder_bias, "token")
    graph.constant("axis", np.array([1]))
    for k, layer in enumerate(p.layers):
        h = _layer(graph, layer, h, str(k))
    graph.input("total", p.channels, 1)
    graph.output(graph.node("Add", "total", h, out=f"{OUT}total"), p.channels, 1)
    mean = graph.node("Mul", f"{OUT}total", "inverse")
    logits = graph.linear("decoder", p.decoder_weight, p.decoder_bias, mean, out="logits")
    graph.output(logits, p.classes, 1)
    return graph.model()


def _layer(graph: _Graph, layer: FloatLayer, h: str, k: str) -> str:
    node, shape = graph.node, layer.a.shape
    a_re, a_im = (
        graph.constant(f"a_re_{k}", layer.a.real),
        graph.constant(f"a_im_{k}", layer.a.imag),
    )
    w_re, w_im = (
        graph.constant(f"w_re_{k}", layer.w.real),
        graph.constant(f"w_im_{k}", layer.w.imag),
    )
    re, im = graph.input(f"re_{k}", *shape), graph.input(f"im_{k}", *shape)
    decayed = node("Sub", node("Mul", a_re, re), node("Mul", a_im, im))
    new_re = node("Add", decayed, h, out=f"{OUT}re_{k}")
    turned = node("Mul", a_re, im), node("Mul", a_im, re)
    new_im = node("Add", *turned, out=f"{OUT}im_{k}")
    graph.output(new_re, *shape)
    graph.output(new_im, *shape)
    terms = node("Sub", node("Mul", w_re, new_re), node("Mul", w_im, new_im))
    summed = node("ReduceSum", terms, "axis", keepdims=1)
    skipped = node("Mul", graph.constant(f"d_{k}", layer.d[:, None]), h)
    y = node("Relu", node("Add", summed, skipped))
    return node("Relu", graph.linear(f"linear_{k}", layer.weight, layer.bias, y))


class _Graph:
    """Collects the parts of a model; every value gets a name of its own."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: list[Any] = []

    def input(self, name: str, *shape: int) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def output(self, name: str, *shape: int) -> str:
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, name: str, value: Tensor | np.ndarray) -> str:
        array = value if isinstance(value, np.ndarray) else value.numpy()
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def complex(self, name: str, value: Tensor) -> tuple[str, str]:
        return self.constant(f"{name}_re", value.real), self.constant(f"{name}_im", value.imag)

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def linear(self, name: str, weight: Tensor, bias: Tensor, x: str, out: str = "") -> str:
        product = self.node("MatMul", self.constant(f"{name}_weight", weight), x)
        return self.node("Add", product, self.constant(f"{name}_bias", bias[:, None]), out=out)

    def model(self) -> onnx.ModelProto:
        parts = self._nodes, "step", self._inputs, self._outputs, self._constants
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(helper.make_graph(*parts), opset_imports=opsets, ir_version=10)
        onnx.checker.check_model(model)
        return model


def open_session(
    model: onnx.ModelProto, settings: dict[str, str] | None = None
) -> onnxruntime.InferenceSession:
    """A session on one thread with every graph optimization.

    Args:
        model: The step.
        settings: Entries of the session's configuration.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    for name, value in (settings or {}).items():
        options.add_session_config_entry(name, value)
    serialized = model.SerializeToString()
    return onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])


@final
class PlainStep:
    """The step through `session.run`: arrays in, arrays out."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        self._fed_back = [name.removeprefix(OUT) for name in self._outputs]
        self._zeros = _zeros(session)
        self.reset()

    def reset(self) -> None:
        """Back to the zero state."""
        self._feeds = dict(self._zeros)
        self._tokens = 0

    def step(self, token: Float[np.ndarray, "i 1"]) -> Float[np.ndarray, "classes 1"]:
        """One token; the logits so far."""
        self._tokens += 1
        feeds = self._feeds
        feeds["token"] = token
        feeds["inverse"] = np.array([1 / self._tokens], np.float32)
        results: Any = self._session.run(self._outputs, feeds)
        for name, value in zip(self._fed_back, results, strict=True):
            feeds[name] = value
        return feeds.pop("logits")


@final
class BoundStep:
    """The step on buffers bound once: two sets of state, which swap roles at every token."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._buffers = [_zeros(session), _zeros(session)]
        for name in ("token", "inverse"):
            self._buffers[1][name] = self._buffers[0][name]
        classes = next(out.shape for out in session.get_outputs() if out.name == "logits")
        self._logits = np.zeros(classes, np.float32)
        self._bindings = [self._bind(*self._buffers), self._bind(*self._buffers[::-1])]
        self._tokens = 0

    def reset(self) -> None:
        """Back to the zero state."""
        for buffers in self._buffers:
            for array in buffers.values():
                array[...] = 0
        self._tokens = 0

    def step(self, token: Float[np.ndarray, "i 1"]) -> Float[np.ndarray, "classes 1"]:
        """One token; the logits so far, overwritten by the next token."""
        binding = self._bindings[self._tokens % 2]
        self._tokens += 1
        buffers = self._buffers[0]
        buffers["token"][...] = token
        buffers["inverse"][0] = 1 / self._tokens
        self._session.run_with_iobinding(binding)
        return self._logits

    def _bind(self, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> Any:
        # On the CPU an OrtValue shares the memory of the array it is made from.
        binding, value = self._session.io_binding(), onnxruntime.OrtValue.ortvalue_from_numpy
        for name, array in before.items():
            binding.bind_ortvalue_input(name, value(array))
        for output in self._session.get_outputs():
            own = output.name == "logits"
            array = self._logits if own else after[output.name.removeprefix(OUT)]
            binding.bind_ortvalue_output(output.name, value(array))
        return binding


def _zeros(session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    return {part.name: np.zeros(part.shape, np.float32) for part in session.get_inputs()}
