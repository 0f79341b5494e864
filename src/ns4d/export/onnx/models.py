"""What happens at one token of a program, or of a trained network: what models are made of."""

from __future__ import annotations

import json

import numpy as np

from ns4d.export.chain import Chain
from ns4d.export.onnx.floats import add_float_token, float_state_shapes
from ns4d.export.onnx.graph import Graph
from ns4d.export.onnx.integers import add_token, state_shapes
from ns4d.export.onnx.quantizer import add_quantizer
from ns4d.export.onnx.unrolled import Token
from ns4d.program import Program


def integer_token(program: Program, real: bool = False) -> Token:
    """One token of a program, exactly.

    Args:
        program: What to run.
        real: Whether tokens are real numbers, double, which (0) turns into messages first; else
            they are messages, int64.

    Returns:
        What the models are made of; its state has the names of `State.to_arrays`.
    """

    def quantize(graph: Graph, x: str) -> str:
        return add_quantizer(graph, program.arithmetic, program.input, x)

    return Token(
        np.int64,
        np.float64 if real else np.int64,
        program.inputs,
        len(program.classes),
        state_shapes(program),
        dict(zip((node.name for node in program.nodes), program.channels, strict=True)),
        quantize if real else _as_they_are,
        lambda graph, state, u: add_token(graph, program, state, u),
        {
            "ns4d.digest": program.digest,
            "ns4d.arithmetic": program.arithmetic.name,
            "ns4d.task": program.metadata.task,
            "ns4d.classes": json.dumps(program.classes),
            "ns4d.tokens": "real numbers, double" if real else "messages, int64",
            "ns4d.message_max": str(program.arithmetic.message_max),
            "ns4d.safe_tokens": str(program.safe_tokens),
        },
    )


def float_token(chain: Chain) -> Token:
    """One token of a trained network in float32; tokens are normalized ones."""
    return Token(
        np.float32,
        np.float32,
        chain.inputs,
        len(chain.classes),
        float_state_shapes(chain),
        {},
        _as_they_are,
        lambda graph, state, x: add_float_token(graph, chain, state, x),
        {
            "ns4d.task": chain.task,
            "ns4d.classes": json.dumps(chain.classes),
            "ns4d.tokens": "normalized real numbers, float",
        },
    )


def _as_they_are(graph: Graph, tokens: str) -> str:
    return tokens
