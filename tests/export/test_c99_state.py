"""The caller's struct: where everything lies in it, to C and to the engine that reads it."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from export.c99_host import library
from ns4d.engines import Reference
from ns4d.export.c99.files import model_files
from ns4d.export.c99.size import ram_bytes
from ns4d.export.c99.states import layout, read_states, write_states
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import Program
from program_strategies import NARROW, TINY_STATE, random_program


def units() -> dict[str, Unit]:
    """States of 8, 16 and 32 bits, also beside one another; scores of 32 bits and of 64."""

    def made(arithmetic, **sizes) -> Program:
        return random_program(np.random.default_rng(4), arithmetic, channels=3, **sizes)

    mixed = made(LOIHI2, layers=3, modes=3)
    return {
        "wide": Unit(made(WIDE, layers=2), "m"),
        "narrow": Unit(made(NARROW, layers=2), "m"),
        "tiny": Unit(made(TINY_STATE, saturating=True), "m", length=9),
        "mixed": Unit(mixed, "m"),
        "stateless": Unit(made(LOIHI2, layers=0), "m"),
        "odd": Unit(made(LOIHI2, classes=5, modes=1), "m", length=7),
    }


UNITS = units()


def probe(unit: Unit, folder) -> ctypes.CDLL:
    """Functions that give sizes and places, as the compiler sees them."""
    for file, content in model_files(unit).items():
        (folder / file).write_bytes(content)
    fields = ["tokens", "score", *(states.field for states in unit.states)]
    lines = ["#include <stddef.h>", f'#include "{folder}/m.c"']
    for name, value in [
        ("size", "sizeof(m_state)"),
        *((f, f"offsetof(m_state, {f})") for f in fields),
    ]:
        lines.append(f"int at_{name}(void);\nint at_{name}(void) {{ return (int)({value}); }}")
    return library("\n".join(lines) + "\n", folder)


@pytest.mark.parametrize("name", UNITS)
def test_the_engine_reads_it_where_c_writes_it(name, tmp_path):
    unit = UNITS[name]
    made, places = layout(unit), probe(unit, tmp_path)
    assert places.at_size() == made.itemsize == ram_bytes(unit)
    assert made.fields is not None
    for field, (_, offset) in ((f, made.fields[f][:2]) for f in made.names or ()):
        assert getattr(places, f"at_{field}")() == offset, field


@pytest.mark.parametrize("name", UNITS)
def test_wide_members_come_first(name):
    sizes = [states.kind.size_bytes for states in UNITS[name].states_in_order]
    assert sizes == sorted(sizes, reverse=True)


def test_every_width_is_among_them():
    widths = {states.kind.size_bytes for unit in UNITS.values() for states in unit.states}
    assert widths >= {2, 4}
    assert {unit.score.size_bytes for unit in UNITS.values()} == {4, 8}


@pytest.mark.parametrize("name", UNITS)
def test_init_clears_all_of_it(name, tmp_path):
    """Whatever was in memory before."""
    unit = UNITS[name]
    places = probe(unit, tmp_path)
    memory = np.full(layout(unit).itemsize, 0xA5, np.uint8)
    places.m_init(ctypes.c_void_p(memory.ctypes.data))
    assert not memory.any()


@pytest.mark.parametrize("name", ["wide", "mixed", "odd"])
def test_a_copy_goes_on_as_the_original_does(name, tmp_path):
    """The struct is a value: bytes copied elsewhere are the same stream."""
    unit = UNITS[name]
    places, size = probe(unit, tmp_path), layout(unit).itemsize
    first = np.zeros(size, np.uint8)
    token = np.array([unit.program.arithmetic.message_max // 3], np.int32)

    def step(state: np.ndarray) -> list[int]:
        scores = np.zeros(len(unit.program.classes), f"i{unit.score.size_bytes}")
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (state, token, scores)]
        assert places.m_step(*pointers) == 0
        return scores.tolist()

    places.m_init(ctypes.c_void_p(first.ctypes.data))
    step(first)
    second = first.copy()
    assert [step(first) for _ in range(3)] == [step(second) for _ in range(3)]
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", UNITS)
def test_states_go_through_it_unchanged(name):
    unit = UNITS[name]
    machine = Reference().load(unit.program, 3)
    top = unit.program.arithmetic.message_max
    machine.advance(np.random.default_rng(1).integers(-top, top + 1, (3, 5, 1)))
    structs = write_states(unit, machine.state)
    assert structs.dtype == layout(unit)
    assert read_states(unit, structs) == machine.state
    bias = unit.program.readout.bias
    np.testing.assert_array_equal(structs["score"], machine.state.r + 5 * bias)


def test_no_streams_have_the_state_before_the_first_token():
    unit = UNITS["wide"]
    assert read_states(unit, np.zeros(0, layout(unit))).tokens_seen == 0
