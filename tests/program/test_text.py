"""The text of a program is a snapshot: a refactor proves itself by an empty diff."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import to_text
from program_strategies import random_program

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "program_text.txt"
PROGRAMS = [
    random_program(np.random.default_rng(1), LOIHI2, inputs=2, layers=1),
    random_program(np.random.default_rng(2), WIDE, layers=2, saturating=True),
]


def test_text_is_the_snapshot():
    """To accept a change: `python tests/program/test_text.py` with src and tests on PYTHONPATH."""
    assert "\n".join(map(to_text, PROGRAMS)) == SNAPSHOT.read_text("utf-8")


def test_equal_programs_have_equal_text():
    twin = random_program(np.random.default_rng(1), LOIHI2, inputs=2, layers=1)
    assert to_text(twin) == to_text(PROGRAMS[0])


def test_a_changed_element_shows():
    program = PROGRAMS[0]
    bias = program.readout.bias.copy()
    bias[1] += 1
    other = replace(program, readout=replace(program.readout, bias=bias))
    assert to_text(other).splitlines()[0] != to_text(program).splitlines()[0]


def test_every_node_and_class_is_named():
    text = to_text(PROGRAMS[1])
    for name in (*(node.name for node in PROGRAMS[1].nodes), *PROGRAMS[1].classes):
        assert name in text


def test_states_that_may_saturate_are_counted():
    text = to_text(PROGRAMS[1])
    assert f"; {PROGRAMS[1].ranges[1].may_saturate} of 12 may saturate" in text
    assert "; 0 of 12 may saturate" in to_text(PROGRAMS[0])


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(map(to_text, PROGRAMS)), "utf-8")
