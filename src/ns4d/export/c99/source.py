"""The source file: primitives, one function per node, step."""

from __future__ import annotations

from collections.abc import Iterator

from ns4d.export.c99.function import Function
from ns4d.export.c99.header import public_values
from ns4d.export.c99.layout import wrapped
from ns4d.export.c99.primitives import definitions
from ns4d.export.c99.templates import filled_in, template
from ns4d.export.c99.unit import Unit
from ns4d.program import Add, Node

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def source(unit: Unit) -> str:
    """The text of `<name>.c`."""
    primitives = definitions(each for f in unit.all_functions for each in f.primitives)
    # Names are put in before the lines are measured.
    named = [
        [line.replace("COMPLEX", f"{unit.name}_complex") for line in f.lines]
        for f in unit.all_functions
    ]
    functions = (
        "".join(f"{short}\n" for line in lines for short in wrapped(line)) for lines in named
    )
    buffers = (f"{_buffer(k)}[{length}]" for k, length in enumerate(unit.buffers.lengths))
    return filled_in(
        "model.c",
        {
            **public_values(unit),
            "message": unit.message.name,
            "choice": template("choice.c") if any("NS4D_" in p for p in primitives) else "",
            "primitives": "\n".join(primitives),
            "functions": "\n".join(functions),
            "buffers": ", ".join(buffers),
            "calls": "".join(f"    {line}\n" for line in _calls(unit)),
        },
    )


def constants(unit: Unit) -> str:
    """The text of `<name>_constants.h`."""
    lines = [
        f"/* {unit.name}: its constants. What is the same in all rows of a table stands in",
        f"   {unit.name}.c as a number. Only {unit.name}.c includes this file. */",
        "#include <stdint.h>",
    ]
    for function in unit.all_functions:
        for constant in function.constants:
            if text := list(constant.lines()):
                lines += ["", *text]
    return "\n".join(lines) + "\n"


def _calls(unit: Unit) -> Iterator[str]:
    of, before = unit.buffers.of, ""
    for index, node in enumerate(unit.program.nodes):
        function, target = unit.functions[index], _buffer(of[node.name])
        arguments = ", ".join(_arguments(unit, node, function, before))
        yield f"{function.name}({arguments}, {target});"
        yield f"{unit.name.upper()}_SENT({index}, {target}, {node.outputs});"
        before = node.name
    yield f"run_readout({_buffer(of[before])}, state->score);"


def _arguments(unit: Unit, node: Node, function: Function, before: str) -> Iterator[str]:
    if function.states is not None:
        yield f"state->{function.states.field}"
    yield _buffer(unit.buffers.of[before])
    if isinstance(node, Add):
        yield _buffer(unit.buffers.of[node.source])


def _buffer(index: int) -> str:
    return LETTERS[index] if index < len(LETTERS) else f"buffer{index}"
