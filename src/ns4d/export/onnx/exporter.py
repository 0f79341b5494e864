"""The ONNX files of a program, or of a trained network.

What reads like a fact for the user is one: it goes to the terminal, and docs/export.md explains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ns4d.errors import ConfigError
from ns4d.export.base import Export, Fact, Request
from ns4d.export.chain import Chain
from ns4d.export.optional import require_packages
from ns4d.program import Program

if TYPE_CHECKING:
    from ns4d.export.onnx.unrolled import Token


def export_program(program: Program, request: Request) -> Export:
    """The integer graphs: step, chunk, sequence.

    Args:
        program: What to export.
        request: `real` says whether tokens are real numbers.

    Returns:
        Three files.

    Raises:
        ConfigError: The package onnx is not installed.
    """
    require_packages("onnx", "onnx")
    from ns4d.export.onnx.models import integer_token

    limits = {
        "tokens": "real, double" if request.real else "messages, int64",
        "exact": "every bit of the program",
        "not_expressed": "errors for illegal tokens, for NaN, or after too many tokens",
    }
    return _files(integer_token(program, bool(request.real)), limits)


def export_network(chain: Chain, request: Request) -> Export:
    """The float32 graphs of a trained network: step, chunk, sequence.

    Args:
        chain: The network; tokens are normalized ones.
        request: `real` has no use here.

    Returns:
        Three files.

    Raises:
        ConfigError: The package onnx is not installed, or `real` was asked.
    """
    require_packages("onnx", "onnx")
    if request.real is not None:
        raise ConfigError(
            "--real",
            expected="a program, whose file says how real tokens become messages",
            got="a trained network, which takes normalized tokens",
            fix="Leave it out, or export the program.",
        )
    from ns4d.export.onnx.models import float_token

    limits = {
        "tokens": "normalized, float",
        "exact": "to float32",
        "not_expressed": "the normalization of the data, another sampling rate",
    }
    return _files(float_token(chain), limits)


def _files(token: Token, limits: Mapping[str, Fact]) -> Export:
    from ns4d.export.onnx.graph import IR_VERSION, OPSET
    from ns4d.export.onnx.unrolled import chunk_model, sequence_model, step_model

    models = {
        "step.onnx": step_model(token),
        "chunk.onnx": chunk_model(token),
        "sequence.onnx": sequence_model(token),
    }
    files = {name: model.SerializeToString() for name, model in models.items()}
    facts = {"opset": OPSET, "ir_version": IR_VERSION, "bytes": sum(map(len, files.values()))}
    return Export(files, {**facts, **limits})
