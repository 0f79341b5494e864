"""What is written beside a model: a program that streams a test vector, its Makefile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Int64

from ns4d.engines import Reference
from ns4d.errors import RangeError
from ns4d.export.c99.comments import string
from ns4d.export.c99.header import public_values
from ns4d.export.c99.layout import filled
from ns4d.export.c99.templates import filled_in
from ns4d.export.c99.unit import Unit
from ns4d.program.tokens import admit_tokens

RANDOM_TOKENS = 16


def example_files(unit: Unit, tokens: np.ndarray | None) -> Mapping[str, bytes]:
    """File name -> content.

    Args:
        unit: The model.
        tokens: (l, i) real numbers or messages for the test vector; random messages if None.

    Raises:
        ShapeError: Tokens of another shape.
        RangeError: A token that is illegal, or more tokens than the model takes.
    """
    texts = {name: filled_in(name, public_values(unit)) for name in ("main.c", "Makefile")}
    texts[f"{unit.name}_vector.h"] = "\n".join(_vector(unit, _messages(unit, tokens))) + "\n"
    return {name: text.encode("ascii") for name, text in texts.items()}


def _messages(unit: Unit, tokens: np.ndarray | None) -> Int64[np.ndarray, "l i"]:
    program = unit.program
    if tokens is None:
        rng = np.random.default_rng(int(program.digest[:16], 16))
        most, count = program.arithmetic.message_max, min(RANDOM_TOKENS, unit.tokens_max)
        return rng.integers(-most, most + 1, (count, program.inputs))
    if not 1 <= len(tokens) <= unit.tokens_max:
        raise RangeError(
            "--input",
            expected=f"1 to {unit.tokens_max} tokens",
            got=str(len(tokens)),
            fix="Give one sequence that is no longer than the model takes.",
        )
    return admit_tokens(program.arithmetic, program.input, tokens)


def _vector(unit: Unit, u: Int64[np.ndarray, "l i"]) -> Iterator[str]:
    program, upper = unit.program, unit.name.upper()
    scores = Reference().load(program, 1).advance(u[None])[0]
    yield f"/* Tokens for {unit.name} with the scores after each, by ns4d's reference engine. */"
    yield f"#define VECTOR_TOKENS {len(u)}"
    yield ""
    yield f"static const char *const vector_classes[{upper}_CLASSES] = {{"
    yield from filled([string(name) for name in program.classes])
    yield "};"
    yield ""
    yield f"static const int32_t vector_tokens[VECTOR_TOKENS][{upper}_INPUTS] = {{"
    yield from filled([f"{{{', '.join(map(str, token))}}}" for token in u.tolist()])
    yield "};"
    yield ""
    yield f"static const {unit.name}_score vector_scores[VECTOR_TOKENS][{upper}_CLASSES] = {{"
    yield from filled([f"{{{', '.join(map(str, row))}}}" for row in scores.tolist()])
    yield "};"
