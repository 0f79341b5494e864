"""The header: what a firmware includes, with what the program costs."""

from __future__ import annotations

from collections.abc import Iterator

from ns4d.export.c99.comments import comment
from ns4d.export.c99.size import size_of
from ns4d.export.c99.templates import filled_in
from ns4d.export.c99.unit import Unit


def header(unit: Unit) -> str:
    """The text of `<name>.h`."""
    program, size = unit.program, size_of(unit)
    return filled_in(
        "model.h",
        {
            **public_values(unit),
            "task": comment(program.metadata.task),
            "digest": program.digest,
            "arithmetic": program.arithmetic.name,
            "constants": f"{size.constants_bytes:,}",
            "code": f"{size.code_bytes:,}",
            "ram": f"{size.ram_bytes:,}",
            "stack": f"{size.stack_bytes:,}",
            "multiplications": f"{size.multiplications:,}",
            "additions": f"{size.additions:,}",
            "tokens_max": str(unit.tokens_max),
            "score": unit.score.name,
            "complex": "".join(f"{line}\n" for line in _complex(unit)),
            "fields": "".join(f"    {line}\n" for line in _fields(unit)),
            "quantizer": "".join(f"{line}\n" for line in _quantizer(unit)),
        },
    )


def public_values(unit: Unit) -> dict[str, str]:
    """What several templates name."""
    return {
        "name": unit.name,
        "UPPER": unit.name.upper(),
        "inputs": str(unit.program.inputs),
        "classes": str(len(unit.program.classes)),
        "message_max": str(unit.program.arithmetic.message_max),
    }


def _quantizer(unit: Unit) -> Iterator[str]:
    if unit.sensor is None:
        return
    inputs, ends = unit.program.inputs, f"{unit.sensor.low} to {unit.sensor.high}"
    yield ""
    yield f"/* Raw values from {ends} to a token: equation (0), without floating point. Equal to it"
    yield "   for each of them, which was checked; values beyond count as the nearest. */"
    yield f"void {unit.name}_quantize(const int32_t raw[{inputs}], int32_t token[{inputs}]);"


def _complex(unit: Unit) -> Iterator[str]:
    for size in sorted({states.kind.size_bytes for states in unit.states}, reverse=True):
        yield f"typedef struct {{ int{8 * size}_t re, im; }} {unit.name}_complex{8 * size};"


def _fields(unit: Unit) -> Iterator[str]:
    for states in unit.states_in_order:
        kind = f"{unit.name}_complex{8 * states.kind.size_bytes}"
        yield f"{kind} {states.field}[{states.count}]; /* {states.comment} */"
