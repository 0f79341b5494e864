"""The quantizer for raw integers equals (0), for every one of them, in Python and in C."""

from __future__ import annotations

import ctypes
import re
from dataclasses import replace

import numpy as np
import pytest

from export.c99_host import library
from ns4d.errors import ConfigError
from ns4d.export import Request
from ns4d.export.c99 import export_program
from ns4d.export.c99.sensor import MOST_VALUES, Line, Sensor, lines_for
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import InputQuantizer, Program
from program_strategies import random_program

CHECKED = ("-fsanitize=undefined", "-fno-sanitize-recover=all")


def program_for(offsets, scales, arithmetic=LOIHI2) -> Program:
    given = InputQuantizer(np.array(offsets, float), np.array(scales, float))
    small = random_program(
        np.random.default_rng(0), arithmetic, inputs=len(offsets), channels=2, modes=1
    )
    return replace(small, input=given)


def expected(program: Program, sensor: Sensor) -> np.ndarray:
    """(0) by the program itself, a column per input."""
    raw = np.repeat(sensor.values.astype(float)[:, None], program.inputs, axis=1)
    return program.quantize_input(raw)


# Offset, scale, range: real tasks; a tie at every second value; ties on both sides of 0; a scale
# below a step of the sensor; a scale that swallows it; values that saturate on either side.
CASES = {
    "sMNIST": (33.338, 0.10828627, 0, 255),
    "digits": (4.8726, 0.00543595, 0, 16),
    "ties above 0": (0.0, 2.0, 0, 1000),
    "ties on both sides": (0.0, 2.0, -1000, 1000),
    "ties, moved": (0.5, 1.0, -300, 300),
    "ties of quarters": (7.0, 4.0, -500, 500),
    "a fine scale": (2000.0, 0.001, 1900, 2100),
    "a coarse scale": (100.0, 977.3, -32768, 32767),
    "12 bits of a converter": (2048.3, 1.0001, 0, 4095),
    "saturating": (0.0, 0.25, -5000, 5000),
    "one message for all": (0.0, 1e9, -100, 100),
    "two values": (3.0, 7.0, -1, 0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda profile: profile.name)
def test_a_line_equals_the_equation(case, arithmetic):
    offset, scale, low, high = CASES[case]
    program, sensor = program_for([offset], [scale], arithmetic), Sensor(low, high)
    (line,) = lines_for(program, sensor)
    wanted = expected(program, sensor)[:, 0]
    np.testing.assert_array_equal(line.messages(sensor.values, arithmetic.message_max), wanted)


def test_random_inputs():
    rng = np.random.default_rng(4)
    for _ in range(25):
        low = int(rng.integers(-3000, 3000))
        sensor = Sensor(low, low + int(rng.integers(1, 5000)))
        offset, scale = rng.normal(low, 500), float(2 ** rng.uniform(-8, 8))
        program = program_for([offset], [scale])
        (line,) = lines_for(program, sensor)
        wanted = expected(program, sensor)[:, 0]
        np.testing.assert_array_equal(line.messages(sensor.values, 2047), wanted)


def test_the_shift_is_the_smallest():
    """Whole scales need none."""
    (line,) = lines_for(program_for([0.0], [1.0]), Sensor(-100, 100))
    assert line == Line(1, 0, 0)
    (half,) = lines_for(program_for([0.0], [0.5]), Sensor(-100, 100))
    assert (half.multiplier, half.shift) == (2, 0)


def test_where_no_line_equals_it_the_input_is_named():
    program = program_for([0.0, 0.0], [1.0, 1e-30])
    with pytest.raises(ConfigError, match=r"--sensor, input 1: expected a scale .* got 1e-30"):
        lines_for(program, Sensor(-(2**30), -(2**30) + 5))


@pytest.mark.parametrize(
    ("low", "high"), [(5, 5), (6, 5), (0, MOST_VALUES), (-(2**31), 0), (0, 2**31), (2**31, 2**32)]
)
def test_an_impossible_sensor_is_refused(low, high):
    with pytest.raises(ConfigError, match=rf"--sensor: expected LOW:HIGH, .* got {low}:{high}"):
        Sensor(low, high)


@pytest.mark.parametrize(
    "names", [["sMNIST", "digits"], ["ties, moved", "a coarse scale", "saturating"]]
)
def test_the_c_equals_the_equation(names, tmp_path):
    """Inputs of one program with different lines; raw values beyond the range count as its ends."""
    cases = [CASES[name] for name in names]
    program = program_for([case[0] for case in cases], [case[1] for case in cases])
    sensor = Sensor(min(case[2] for case in cases), max(case[3] for case in cases))
    made = export_program(program, Request(name="m", sensor=(sensor.low, sensor.high)))
    for name, content in made.files.items():
        (tmp_path / name).write_bytes(content)
    code = f'#include "{tmp_path}/m.c"\n' + EACH.replace("INPUTS", str(program.inputs))
    functions = library(code, tmp_path, *CHECKED)
    raw = np.concatenate([[-(2**31), sensor.low - 1], sensor.values, [sensor.high + 1, 2**31 - 1]])
    rows = np.repeat(raw.astype(np.int32)[:, None], program.inputs, axis=1)
    found = np.zeros_like(rows)
    pointers = (ctypes.c_void_p(rows.ctypes.data), ctypes.c_void_p(found.ctypes.data))
    functions.each(ctypes.c_int64(len(rows)), *pointers)
    wanted = expected(program, sensor)
    np.testing.assert_array_equal(found[2:-2], wanted)
    for beyond, end in ((0, 0), (1, 0), (-2, -1), (-1, -1)):
        np.testing.assert_array_equal(found[beyond], wanted[end])


EACH = """
void each(int64_t count, const int32_t *raw, int32_t *tokens);
void each(int64_t count, const int32_t *raw, int32_t *tokens)
{
    for (int64_t j = 0; j < count; j++)
        m_quantize(raw + INPUTS * j, tokens + INPUTS * j);
}
"""


def test_it_is_written_only_when_it_is_asked_for():
    program = program_for([0.0], [1.0])
    without = export_program(program, Request(name="m")).files
    assert not any(b"m_quantize" in content for content in without.values())
    header = export_program(program, Request(name="m", sensor=(0, 9))).files["m.h"].decode()
    assert re.search(r"Raw values from 0 to 9 .*\nvoid m_quantize\(", header, re.DOTALL)


def test_its_tokens_stream_as_real_numbers_do():
    """Raw integers by either way in: the same scores."""
    program = program_for([33.3], [0.11])
    (line,) = lines_for(program, Sensor(0, 255))
    raw = np.random.default_rng(0).integers(0, 256, 20)
    tokens = line.messages(raw, program.arithmetic.message_max)
    np.testing.assert_array_equal(program.quantize_input(raw.astype(float)[:, None])[:, 0], tokens)
