"""The contests of streaming: who runs against whom, on which tokens.

Every contestant gets its tokens in the form that it likes best, made beforehand: normalized
float32 for the float baselines, raw real numbers or messages for the programs. The integer side
expects what `Reference` says, the float side what the network says in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ns4d.bench.streaming_convolution import PreparedConvolution
from ns4d.bench.streaming_float import FloatParameters, float_parameters
from ns4d.bench.streaming_onnx import BoundStep, PlainStep, step_graph
from ns4d.bench.streaming_race import OURS, Contestant
from ns4d.bench.streaming_subjects import Subject, definition
from ns4d.bench.streaming_torch import CompiledStep, EagerStep, read_by_dot, read_by_product
from ns4d.engines import default_engine
from ns4d.export.onnx.engine import open_session
from ns4d.model import Network
from ns4d.program import Program

EAGER, COMPILED, ONNX = "PyTorch eager", "torch.compile", "ONNX Runtime"
CONVOLUTION = "PyTorch FFT convolution"
FLOAT_TOLERANCE = 2e-3  # float32 over a thousand tokens, relative to the largest logit

READINGS = {"matrix product": read_by_product, "dot product": read_by_dot}
COMPILE_OPTIONS: Mapping[str, dict[str, Any]] = {
    "default": {},
    "max-autotune": {"mode": "max-autotune"},
    "freezing": {"options": {"freezing": True}},
}
SESSION_SETTINGS: Mapping[str, dict[str, str]] = {
    "default": {},
    "denormals are zero": {"session.set_denormal_as_zero": "1"},
}


@runtime_checkable
class Step(Protocol):
    """A recurrent step that holds its state."""

    def reset(self) -> None:
        """Back to the zero state."""
        ...

    def step(self, token: Any) -> Any:
        """One token; the scores so far."""
        ...


def token_contest(subject: Subject, blocks: int, compiled: bool) -> list[Contestant]:
    """One stream, token by token, each token a call from Python.

    Args:
        subject: What runs.
        blocks: The first so many sequences, one block each.
        compiled: Whether `torch.compile` takes part.
    """
    parameters = float_parameters(subject.network)
    normalized, raw = subject.normalized[:blocks], subject.tokens[:blocks]
    logits = list(_exact_logits(subject.network, normalized))
    columns = [list(sequence[:, :, None].unbind()) for sequence in normalized]
    rows = [[column.numpy().T for column in sequence] for sequence in columns]
    return [
        *(
            _stepping(f"{family}, {name}", family, step, columns, logits)
            for family, name, step in _torch_steps(parameters, 1, compiled)
        ),
        *(
            _stepping(f"{ONNX}, {name}", ONNX, step, rows, logits)
            for name, step in _onnx_steps(subject.network)
        ),
        *(
            entry
            for label, program in subject.programs.items()
            for entry in token_entries(label, program, raw, subject.scores[label][:blocks])
        ),
    ]


def stream_contest(
    subject: Subject, streams: int, blocks: int, tokens: int, compiled: bool
) -> list[Contestant]:
    """Many streams, one token each per call; blocks follow one another in the same streams.

    Args:
        subject: What runs; its sequences are dealt out to the streams in turn.
        streams: How many.
        blocks: How many pieces the streams are cut into.
        tokens: Calls per block. They come from the middle of the sequences, where pixels vary.
        compiled: Whether `torch.compile` takes part.
    """
    dealt = np.arange(streams) % len(subject.tokens)
    start = (subject.tokens.shape[1] - blocks * tokens) // 2
    part = slice(start, start + blocks * tokens)
    normalized, raw = subject.normalized[:, part], subject.tokens[:, part]
    ends = [tokens * (block + 1) for block in range(blocks)]
    logits = [_exact_logits(subject.network, normalized[:, :end])[dealt] for end in ends]
    all_columns = normalized[torch.from_numpy(dealt)].permute(1, 2, 0).contiguous()
    columns = [list(all_columns[end - tokens : end]) for end in ends]
    steps = _torch_steps(float_parameters(subject.network), streams, compiled)
    return [
        *(
            replace(
                _stepping(f"{family}, {name}", family, step, columns, logits),
                prepare=_at_first(step.reset),
            )
            for family, name, step in steps
        ),
        *(
            _stream_entry(label, program, raw, dealt, ends)
            for label, program in subject.programs.items()
        ),
    ]


def sequence_contest(subject: Subject, batch: int) -> list[Contestant]:
    """Whole sequences.

    Args:
        subject: What runs; its sequences are repeated to fill the batch.
        batch: Sequences per call.
    """
    dealt = np.arange(batch) % len(subject.tokens)
    tokens, raw = subject.normalized[torch.from_numpy(dealt)], subject.tokens[dealt]
    convolution = PreparedConvolution(subject.network, tokens.shape[1])
    logits = [_exact_logits(subject.network, subject.normalized)[dealt]]
    baseline = Contestant(
        CONVOLUTION,
        CONVOLUTION,
        _nothing,
        lambda _: convolution(tokens).numpy(),
        logits,
        FLOAT_TOLERANCE,
    )
    ours = [
        Contestant(
            f"{OURS} {label}",
            OURS,
            _nothing,
            _running(program, raw),
            [subject.scores[label][dealt]],
        )
        for label, program in subject.programs.items()
    ]
    return [baseline, *ours]


def _torch_steps(
    parameters: FloatParameters, streams: int, compiled: bool
) -> Iterator[tuple[str, str, Step]]:
    for name, read in READINGS.items():
        yield EAGER, name, EagerStep(parameters, streams, read)
    if compiled:
        torch.compiler.reset()  # the variants of one contest stay below the limit per function
        for name, options in COMPILE_OPTIONS.items():
            yield COMPILED, name, CompiledStep(parameters, streams, options)


def _onnx_steps(network: Network) -> Iterator[tuple[str, Step]]:
    model = step_graph(network)
    for name, settings in SESSION_SETTINGS.items():
        yield f"arrays, {name}", PlainStep(open_session(model, settings))
        yield f"bound buffers, {name}", BoundStep(open_session(model, settings))


def _stepping(
    name: str,
    family: str,
    step: Step,
    tokens: Sequence[Sequence[Any]],
    logits: Sequence[np.ndarray],
) -> Contestant:
    def run(block: int) -> np.ndarray:
        advance, got = step.step, None
        for token in tokens[block]:
            got = advance(token)
        return np.asarray(got).T.reshape(logits[block].shape)

    return Contestant(name, family, lambda _: step.reset(), run, logits, FLOAT_TOLERANCE)


def token_entries(
    label: str,
    program: Program,
    raw: Float[np.ndarray, "b l i"],
    scores: Int64[np.ndarray, "b classes"],
) -> Iterator[Contestant]:
    """A program fed with real tokens, then the same one fed with messages."""
    expected = list(scores)
    forms = {"real tokens": raw, "integer tokens": program.quantize_input(raw)}
    for form, tokens in forms.items():
        stream = program.stream()
        rows = [list(sequence) for sequence in tokens]
        contestant = _stepping(f"{OURS} {label}, {form}", OURS, stream, rows, expected)
        yield replace(contestant, tolerance=0.0)


def _stream_entry(
    label: str,
    program: Program,
    raw: Float[np.ndarray, "b l i"],
    dealt: Int64[np.ndarray, " streams"],
    ends: Sequence[int],
) -> Contestant:
    machine = default_engine().load(program, len(dealt))
    zero = machine.state
    u = program.quantize_input(raw)
    scores = definition(program, raw)
    many = u[dealt]
    tokens = [np.ascontiguousarray(many[:, k : k + 1]) for k in range(many.shape[1])]

    def reset() -> None:
        machine.state = zero

    def run(block: int) -> np.ndarray:
        got = np.zeros((0, 0))
        for token in tokens[ends[block] - ends[0] : ends[block]]:
            got = machine.advance(token)[:, 0]
        return got

    expected = [scores[dealt, end - 1] for end in ends]
    return Contestant(f"{OURS} {label}", OURS, _at_first(reset), run, expected)


def _running(program: Program, raw: np.ndarray) -> Callable[[int], np.ndarray]:
    return lambda _: program.run(raw)


def _exact_logits(network: Network, tokens: Float[Tensor, "b l i"]) -> Float[np.ndarray, "b k"]:
    return deepcopy(network).double()(tokens.double()).numpy()


def _nothing(_: int) -> None:
    pass


def _at_first(reset: Callable[[], None]) -> Callable[[int], None]:
    """A preparation for streams that go on from block to block."""
    return lambda block: reset() if block == 0 else None
