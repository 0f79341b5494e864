"""The ONNX Runtime baseline: the exported float32 step, for one stream.

The graph is the one that `ns4d export RUN --to onnx` writes (`ns4d.export.onnx.floats`): the state
goes in by its names and comes out with "new/" before each.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float

from ns4d.export.onnx.models import float_token
from ns4d.export.onnx.neuron import NEW
from ns4d.export.onnx.unrolled import step_model
from ns4d.model import Network
from ns4d.trained import chain_of_network

TOKENS, SCORES = "tokens", "scores"


def step_graph(network: Network) -> onnx.ModelProto:
    """The step as a checked model, for one stream."""
    return step_model(float_token(chain_of_network(network, "benchmark")), streams=1)


@final
class PlainStep:
    """The step through `session.run`: arrays in, arrays out."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        self._fed_back = [name.removeprefix(NEW) for name in self._outputs]
        self._zeros = _zeros(session)
        self.reset()

    def reset(self) -> None:
        """Back to the zero state."""
        self._feeds = dict(self._zeros)

    def step(self, token: Float[np.ndarray, "1 i"]) -> Float[np.ndarray, "1 classes"]:
        """One token; the logits so far."""
        feeds = self._feeds
        feeds[TOKENS] = token
        results: Any = self._session.run(self._outputs, feeds)
        for name, value in zip(self._fed_back, results, strict=True):
            feeds[name] = value
        return feeds.pop(SCORES)


@final
class BoundStep:
    """The step on buffers bound once: two sets of state, which swap roles at every token."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._buffers = [_zeros(session), _zeros(session)]
        self._buffers[1][TOKENS] = self._buffers[0][TOKENS]
        classes = next(out.shape for out in session.get_outputs() if out.name == SCORES)
        self._logits = np.zeros(classes, np.float32)
        self._bindings = [self._bind(*self._buffers), self._bind(*self._buffers[::-1])]
        self._tokens = 0

    def reset(self) -> None:
        """Back to the zero state."""
        for buffers in self._buffers:
            for array in buffers.values():
                array[...] = 0
        self._tokens = 0

    def step(self, token: Float[np.ndarray, "1 i"]) -> Float[np.ndarray, "1 classes"]:
        """One token; the logits so far, overwritten by the next token."""
        binding = self._bindings[self._tokens % 2]
        self._tokens += 1
        self._buffers[0][TOKENS][...] = token
        self._session.run_with_iobinding(binding)
        return self._logits

    def _bind(self, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> Any:
        # On the CPU an OrtValue shares the memory of the array it is made from.
        binding, value = self._session.io_binding(), onnxruntime.OrtValue.ortvalue_from_numpy
        for name, array in before.items():
            binding.bind_ortvalue_input(name, value(array))
        for output in self._session.get_outputs():
            own = output.name == SCORES
            array = self._logits if own else after[output.name.removeprefix(NEW)]
            binding.bind_ortvalue_output(output.name, value(array))
        return binding


def _zeros(session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    return {part.name: np.zeros(part.shape, np.float32) for part in session.get_inputs()}
