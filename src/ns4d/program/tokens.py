"""Admits tokens: equation (0) for real numbers, a range check for messages."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from ns4d.errors import RangeError, ShapeError
from ns4d.numerics import PRODUCT_MAX, Arithmetic, nearest, saturate
from ns4d.program.nodes import InputQuantizer


def admit(
    arithmetic: Arithmetic, quantizer: InputQuantizer, tokens: np.ndarray
) -> Int64[np.ndarray, "..."]:
    """(0) u_i = saturate(nearest((x_i - offset_i) / scale_i), message_bits).

    Args:
        arithmetic: Gives the width of a message.
        quantizer: Offset with scale.
        tokens: (..., i). Floats are quantized; integers are messages already, and checked.

    Returns:
        int64 messages of the same shape.

    Raises:
        ShapeError: A wrong last axis, or neither floats nor integers.
        RangeError: NaN, infinity, or an integer wider than a message; token and channel are named.
    """
    inputs = quantizer.inputs
    if not isinstance(tokens, np.ndarray) or tokens.ndim < 1 or tokens.shape[-1] != inputs:
        got = tokens.shape if isinstance(tokens, np.ndarray) else type(tokens).__name__
        raise ShapeError(
            "tokens",
            expected=f"a NumPy array whose last axis is the {inputs} inputs of the program",
            got=str(got),
            fix="Give every token one value per input, also when there is only one.",
        )
    if tokens.dtype.kind in "iu":
        top = arithmetic.message_max
        _require("an integer message", tokens, (tokens < -top) | (tokens > top), top)
        return tokens.astype(np.int64)
    if tokens.dtype.kind == "f" and tokens.dtype.itemsize <= 8:
        _require("a finite number", tokens, ~np.isfinite(tokens), None)
        with np.errstate(over="ignore"):
            steps = (tokens.astype(np.float64) - quantizer.offset) / quantizer.scale
        rounded = nearest(np.clip(steps, -PRODUCT_MAX, PRODUCT_MAX))
        return saturate(rounded, arithmetic.message_bits)
    raise ShapeError(
        "tokens",
        expected="floats (to be quantized) or integers (messages)",
        got=str(tokens.dtype),
        fix="Convert them with numpy.asarray(tokens, dtype=numpy.float64).",
    )


def admit_token(
    arithmetic: Arithmetic, quantizer: InputQuantizer, token: np.ndarray
) -> Int64[np.ndarray, " i"]:
    """`admit` for one token of shape (i,)."""
    return admit(arithmetic, quantizer, _with_axes(token, "(i,)", 1, quantizer.inputs))


def admit_tokens(
    arithmetic: Arithmetic, quantizer: InputQuantizer, tokens: np.ndarray
) -> Int64[np.ndarray, "l i"]:
    """`admit` for one sequence of shape (l, i)."""
    return admit(arithmetic, quantizer, _with_axes(tokens, "(l, i)", 2, quantizer.inputs))


def admit_sequences(
    arithmetic: Arithmetic, quantizer: InputQuantizer, sequences: np.ndarray
) -> Int64[np.ndarray, "b l i"]:
    """`admit` for a batch of shape (b, l, i)."""
    return admit(arithmetic, quantizer, _with_axes(sequences, "(b, l, i)", 3, quantizer.inputs))


def admit_streams(
    arithmetic: Arithmetic, quantizer: InputQuantizer, tokens: np.ndarray, streams: int
) -> Int64[np.ndarray, "b l i"]:
    """`admit` for so many streams, one row of (b, l, i) each."""
    u = admit_sequences(arithmetic, quantizer, tokens)
    if len(u) != streams:
        raise ShapeError(
            "tokens",
            expected=f"one row for each of {streams} streams",
            got=f"{len(u)} rows",
            fix="Load a machine with as many streams as there are rows.",
        )
    return u


def _with_axes(tokens: object, shape: str, axes: int, inputs: int) -> np.ndarray:
    if isinstance(tokens, np.ndarray) and tokens.ndim == axes:
        return tokens
    raise ShapeError(
        "tokens",
        expected=f"a NumPy array of shape {shape} with i = {inputs}",
        got=f"shape {tokens.shape}" if isinstance(tokens, np.ndarray) else type(tokens).__name__,
        fix="Keep the last axis also when there is only one input.",
    )


def _require(expected: str, tokens: np.ndarray, bad: np.ndarray, top: int | None) -> None:
    if not bad.any():
        return
    index = tuple(int(k) for k in np.argwhere(bad)[0])
    names = ("sequence", "token", "channel")[-tokens.ndim :]
    named = zip(names, index[-len(names) :], strict=True)
    raise RangeError(
        ", ".join(f"{name} {k}" for name, k in named),
        expected=expected if top is None else f"{expected} from {-top} to {top}",
        got=str(tokens[index]),
        fix="Clean the input." if top is None else "Pass floats to have them quantized.",
    )
