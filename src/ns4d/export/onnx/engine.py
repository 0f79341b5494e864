"""The exported models as engines: what ONNX Runtime computes, compared with the reference.

`OnnxRuntime` runs whole chunks by the Scan, or token by token by the step. It is here to prove the
export, not to be fast: `ns4d.engines.native` is.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Int64

from ns4d.engines.base import token_by_advance
from ns4d.engines.state import State, require_safe, require_state, zero_state
from ns4d.export.onnx.models import integer_token
from ns4d.export.onnx.neuron import NEW
from ns4d.export.onnx.unrolled import chunk_model, step_model
from ns4d.program import Program
from ns4d.program.tokens import admit_streams


def open_session(
    model: onnx.ModelProto, settings: dict[str, str] | None = None
) -> onnxruntime.InferenceSession:
    """A session on one thread with every graph optimization.

    Args:
        model: What to run.
        settings: Entries of the session's configuration.

    Returns:
        The session, on the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    for name, value in (settings or {}).items():
        options.add_session_config_entry(name, value)
    serialized = model.SerializeToString()
    return onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])


def run(
    session: onnxruntime.InferenceSession, names: list[str], feeds: dict[str, np.ndarray]
) -> list[Int64[np.ndarray, "..."]]:
    """Outputs of an integer model.

    Args:
        session: Of the model.
        names: Of the outputs.
        feeds: The inputs by name.

    Returns:
        The arrays, as NumPy's own int64: the runtime's `long long` is another type of that size.
    """
    results: Any = session.run(names, feeds)
    return [array.view(np.int64) for array in results]


@final
class OnnxRuntime:
    """An engine that runs the step model, or the chunk model.

    Args:
        whole: Whether a chunk is one call of the chunk model, not one call per token.
    """

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    @property
    def name(self) -> str:
        """For reports and for errors."""
        return f"ONNX Runtime, {'chunk' if self._whole else 'step'}"

    @property
    def batch(self) -> int:
        """Sixteen: few calls, little memory."""
        return 16

    def load(self, program: Program, streams: int) -> OnnxMachine:
        """A machine with so many streams in zero state."""
        return OnnxMachine(
            program, self._session(program), self._whole, zero_state(program, streams)
        )

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state; see `Engine.trace`."""
        require_safe(program, u.shape[1])
        session = open_session(chunk_model(integer_token(program), trace=True))
        names = [node.name for node in program.nodes]
        feeds = zero_state(program, len(u)).to_arrays() | {"tokens": u}
        sent = run(session, [f"sent/{name}" for name in names], feeds)
        return dict(zip(names, sent, strict=True))

    def _session(self, program: Program) -> onnxruntime.InferenceSession:
        """One per program: to open it takes longer than to run it."""
        if program.digest not in self._sessions:
            token = integer_token(program)
            model = chunk_model(token) if self._whole else step_model(token)
            self._sessions = {program.digest: open_session(model)}
        return self._sessions[program.digest]


@final
class OnnxMachine:
    """A program in a session, with a state; see `Machine`."""

    def __init__(
        self,
        program: Program,
        session: onnxruntime.InferenceSession,
        whole: bool,
        state: State,
    ) -> None:
        self._program, self._session, self._whole, self._state = program, session, whole, state

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._program

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return self._state.batch

    @property
    def state(self) -> State:
        """The state after the last token."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        require_state(self._program, state, self.streams)
        self._state = state

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        program = self._program
        u = admit_streams(program.arithmetic, program.input, u, self.streams)
        require_safe(program, self._state.tokens_seen + u.shape[1])
        if self._whole:
            return self._run(u)
        scores = np.zeros((*u.shape[:2], len(program.classes)), np.int64)
        for k in range(u.shape[1]):
            scores[:, k] = self._run(u[:, k])
        return scores

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        return token_by_advance(self, token)

    def _run(self, tokens: np.ndarray) -> np.ndarray:
        """One call: the state goes in, then out."""
        state = self._state.to_arrays()
        names = ["scores", *(f"{NEW}{name}" for name in state)]
        results = run(self._session, names, state | {"tokens": tokens})
        self._state = State.from_arrays(dict(zip(state, results[1:], strict=True)))
        return results[0]
