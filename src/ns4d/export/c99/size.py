"""How large a program is in C: flash, RAM, stack, operations per token."""

from __future__ import annotations

from dataclasses import dataclass

from ns4d.export.c99.unit import Unit
from ns4d.program import S4D

# Machine code per function, an allowance: tests compare it with what compilers make.
NODE_CODE_BYTES, NEURON_CODE_BYTES, STEP_CODE_BYTES = 480, 1200, 700
# Saved registers and spilled values of `step` with what it calls, an allowance as well.
FRAME_BYTES = 320
TOKENS_BYTES = 8


@dataclass(frozen=True)
class Size:
    """Bytes and operations.

    Args:
        constants_bytes: Constants in flash, exactly.
        code_bytes: Machine code in flash, at most (tested on the targets of ns4d.bench.emulate).
        ram_bytes: The state struct, exactly where integers are aligned to their size.
        stack_bytes: Messages between nodes, and registers, at most.
        multiplications, additions: Per token.
    """

    constants_bytes: int
    code_bytes: int
    ram_bytes: int
    stack_bytes: int
    multiplications: int
    additions: int

    @property
    def flash_bytes(self) -> int:
        """Constants and code."""
        return self.constants_bytes + self.code_bytes


def size_of(unit: Unit) -> Size:
    """The size of a program."""
    nodes, constants = unit.program.nodes, 0
    neurons = sum(isinstance(node, S4D) for node in nodes)
    for function in unit.all_functions:
        constants += sum(constant.size_bytes for constant in function.constants)
    messages = sum(unit.buffers.lengths) * unit.message.size_bytes
    return Size(
        constants,
        _code_bytes(neurons, len(unit.all_functions) - 1 - neurons),
        ram_bytes(unit),
        messages + FRAME_BYTES,
        sum(function.multiplications for function in unit.functions),
        sum(function.additions for function in unit.functions),
    )


def _code_bytes(neurons: int, others: int) -> int:
    return STEP_CODE_BYTES + NEURON_CODE_BYTES * neurons + NODE_CODE_BYTES * others


def ram_bytes(unit: Unit) -> int:
    """The struct: widest members first, so that only its end is padded."""
    scores = unit.score.size_bytes * len(unit.program.classes)
    content = TOKENS_BYTES + scores + sum(states.size_bytes for states in unit.states)
    return -(-content // TOKENS_BYTES) * TOKENS_BYTES
