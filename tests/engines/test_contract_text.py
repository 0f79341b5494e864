"""docs/numerics.md names every member that an engine needs, with shapes."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from ns4d.engines import Engine, Machine, Reference, State
from program_strategies import random_program

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "numerics.md").read_text("utf-8")
SECTION = TEXT[TEXT.index("## 4. ") : TEXT.index("## 5. ")]


def members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def named(of: str) -> set[str]:
    """What the first table of the section names of an engine or of a machine."""
    rows = re.findall(rf"^\| {of} \| ([^|]+) \|", SECTION, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)", row)}


@pytest.mark.parametrize(("of", "protocol"), [("engine", Engine), ("machine", Machine)])
def test_the_table_has_every_member(of: str, protocol: type) -> None:
    assert named(of) == members(protocol)


def test_the_table_has_every_part_of_a_state() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| .*\| (`[^|]+) \|$", SECTION, re.MULTILINE)
    assert {n for row, _ in rows for n in re.findall(r"`(\w+)`", row)} == {
        field.name for field in fields(State)
    }
    assert re.findall(r"`([^`]+)`", " ".join(saved for _, saved in rows)) == [
        "<node>/x_re",
        "<node>/x_im",
        "r",
        "tokens_seen",
    ]


def test_shapes_with_types_are_those_of_the_reference() -> None:
    program = random_program(np.random.default_rng(0), inputs=2, layers=1, residual=True)
    machine, classes = Reference().load(program, 3), len(program.classes)
    scores = machine.advance(np.zeros((3, 5, 2), np.int64))
    assert (scores.dtype, scores.shape) == (np.int64, (3, 5, classes))
    assert (machine.program, machine.streams) == (program, 3)
    alone = Reference().load(program, 1).token(np.zeros(2))
    assert (alone.dtype, alone.shape) == (np.int64, (classes,))
    sent = Reference().trace(program, np.zeros((3, 5, 2), np.int64))
    assert {name: (m.dtype, m.shape) for name, m in sent.items()} == {
        node.name: (np.int64, (3, 5, node.outputs)) for node in program.nodes
    }
    shapes = {
        f"{n.name}/{part}": (3, n.outputs, n.modes)
        for n in program.recurrent
        for part in ("x_re", "x_im")
    }
    saved = machine.state.to_arrays()
    assert {k: v.shape for k, v in saved.items()} == shapes | {"r": (3, classes), "tokens_seen": ()}
    assert {v.dtype for v in saved.values()} == {np.dtype(np.int64)}
    assert State.from_arrays(saved) == machine.state
