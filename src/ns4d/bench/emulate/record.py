"""The record of emulated runs: models on tokens of their tasks, on every target with tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Int64

from ns4d.bench.emulate.elsewhere import elsewhere
from ns4d.bench.emulate.measure import measure
from ns4d.bench.emulate.targets import TARGETS, Target
from ns4d.bench.emulate.toolchain import Toolchain, toolchains
from ns4d.bench.program_data import data_of
from ns4d.environment import environment
from ns4d.errors import ConfigError
from ns4d.program import Program, load

# Name in the table -> program below the folder of results.
MODELS: Mapping[str, str] = MappingProxyType(
    {
        "digits, loihi2": "digits/loihi2.ns4d",
        "sMNIST small, loihi2": "smnist/loihi2.ns4d",
        "sMNIST small, wide": "smnist/wide.ns4d",
        "sMNIST small, loihi2 w4c8m6": "smnist/qaft-loihi2-w4c8m6.ns4d",
    }
)
TUNED, PLAIN = ("-O2",), ("-O2", "-DNS4D_PLAIN")
# With plain C, no other bits: a few tokens tell what the tuning gains.
PLAIN_TOKENS = 24
MICRO = 1e-6


@dataclass(frozen=True)
class Work:
    """What to run.

    Args:
        results: Folder with the programs.
        sequences: Test sequences of each task.
        data_dir: As in `ns4d.data.load_task`.
        only: Part of the names of the models; all if empty.
    """

    results: Path
    sequences: int
    data_dir: Path | None
    only: str = ""


def record(work: Work, say: Callable[[str], None]) -> dict[str, Any]:
    """Everything that this machine has the tools for.

    Args:
        work: What to run.
        say: Called with a line per measurement.

    Returns:
        The environment; a row per model, target, compiler and path; a row per model and other
        target.

    Raises:
        ConfigError: No compiler or no emulator here.
    """
    available = require_tools()
    rows, others = [], []
    for name in (name for name in MODELS if work.only in name):
        program = load(work.results / MODELS[name])
        u = task_messages(program, work.sequences, work.data_dir)
        facts = {"model": name, "digest": program.digest, "classes": len(program.classes)}
        for row in _rows(program, u, available):
            rows.append({**facts, **row})
            shown = f"{row['instructions']:,.0f} instructions, {row['different']} scores differ"
            say(f"{name}, {row['target']}, {row['toolchain']} {row['path']}: {shown}")
        for row in elsewhere(program, u[0]):
            others.append({**facts, **row})
            shown = f"{row['token_s'][0] / MICRO:.1f} µs, {row['different']} scores differ"
            say(f"{name}, {row['target']}: {shown}")
    return {"environment": environment(), "rows": rows, "elsewhere": others}


def require_tools() -> tuple[tuple[Target, Toolchain], ...]:
    """Every target with every compiler for it here.

    Raises:
        ConfigError: There is none, or no emulator.
    """
    from importlib.util import find_spec

    found = tuple((t, chain) for t in TARGETS.values() for chain in toolchains(t))
    if not found or find_spec("unicorn") is None:
        raise ConfigError(
            "emulate",
            expected="a cross compiler and an emulator",
            got=f"{len(found)} compilers, emulator: {find_spec('unicorn') is not None}",
            fix='Install "ns4d[test]", or gcc-arm-none-eabi with the package unicorn.',
        )
    return found


def task_messages(
    program: Program, sequences: int, data_dir: Path | None
) -> Int64[np.ndarray, "b l i"]:
    """The first test sequences of a program's task, quantized."""
    tokens = data_of(program, data_dir).test.tokens[:sequences]
    # Raw bytes would pass for messages; equation (0) takes real numbers.
    return program.quantize_input(tokens.astype(np.float64))


def _rows(
    program: Program,
    u: Int64[np.ndarray, "b l i"],
    available: tuple[tuple[Target, Toolchain], ...],
) -> Iterator[dict[str, Any]]:
    for target, toolchain in available:
        found = measure(program, u, target, toolchain, TUNED)
        yield {"path": "tuned", **found.plain()}
        found = measure(program, u[:1, :PLAIN_TOKENS], target, toolchain, PLAIN)
        yield {"path": "plain C", **found.plain()}
