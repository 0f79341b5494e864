"""Weighted sums in C: dense layers of every number of rows, residual adds, the read-out."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from export.c99_host import require_compiler
from ns4d.engines.compare import compare
from ns4d.export.c99 import C99
from ns4d.export.c99.function import Function
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import Add, Dense, Descale, InputQuantizer, Metadata, Program, Readout

BROAD = replace(LOIHI2, name="broad", weight_bits=16, message_bits=24, accumulator_bits=40)


def descale(outputs: int, top: int) -> Descale:
    return Descale(np.full(outputs, 3), 2, np.full(outputs, top), relu=False)


def program(arithmetic: Arithmetic, outputs: int, inputs: int, seed: int = 0) -> Program:
    """A dense layer, the same added to itself, a read-out of so many classes."""
    rng = np.random.default_rng(seed)
    top, message = arithmetic.weight_max, arithmetic.message_max
    weight = rng.integers(-top, top + 1, (outputs, inputs))
    weight = np.trunc(weight * min(1, arithmetic.accumulator_max / (top * message * inputs * 2)))
    small = weight.astype(np.int64)
    bias = rng.integers(-50, 51, outputs)
    limit = min(message, arithmetic.accumulator_max // (4 * top))
    nodes = (
        Dense("dense", small, bias, descale(outputs, limit)),
        Dense("again", np.eye(outputs, dtype=np.int64), bias, descale(outputs, limit)),
        Add(
            "sum",
            "dense",
            rng.integers(-top, top + 1, outputs),
            rng.integers(-top, top + 1, outputs),
            descale(outputs, min(message, arithmetic.accumulator_max // (2 * outputs))),
        ),
    )
    readout = Readout(np.eye(outputs, dtype=np.int64), rng.integers(-9, 10, outputs))
    quantizer = InputQuantizer(np.zeros(inputs), np.ones(inputs))
    classes = tuple(f"c{k}" for k in range(outputs))
    return Program(arithmetic, quantizer, nodes, readout, Metadata("t", classes))


def functions(given: Program) -> tuple[Function, ...]:
    return Unit(given, "m").functions


def text(made: Function) -> str:
    return "\n".join(made.lines)


@pytest.fixture(scope="module")
def engine() -> C99:
    require_compiler("gcc")
    return C99("gcc", ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all"))


@pytest.mark.parametrize("outputs", range(1, 9))
def test_any_number_of_rows_has_the_bits_of_the_reference(engine, outputs):
    given = program((LOIHI2, WIDE, BROAD)[outputs % 3], outputs, 1 + outputs % 3)
    top = given.arithmetic.message_max
    u = np.random.default_rng(1).integers(-top, top + 1, (2, 6, given.inputs))
    u[0, :2], u[0, 2:4] = top, -top
    assert compare(engine, given, u).difference is None


@pytest.mark.parametrize(("outputs", "rows"), [(1, 1), (2, 2), (3, 1), (4, 4), (6, 2), (8, 4)])
def test_rows_are_taken_together_where_they_divide_the_outputs(outputs, rows):
    made = text(functions(program(LOIHI2, outputs, 2))[0])
    step = f"o += {rows}" if rows > 1 else "o++"
    assert f"for (int o = 0; o < {outputs}; {step}, w += {2 * rows})" in made
    assert made.count(" * in;") == rows
    assert made.count("(message)clip") == rows


def test_a_message_is_loaded_once_for_the_rows_taken_together():
    made = text(functions(program(LOIHI2, 8, 3))[0])
    assert made.count("const int32_t in = u[i];") == 1
    for row in range(4):
        weight = f"w[{3 * row} + i]" if row else "w[i]"
        assert f"v{row} += {weight} * in;" in made


def test_short_sums_have_32_bits_and_long_ones_64():
    short, long = (text(functions(program(a, 3, 2))[0]) for a in (LOIHI2, BROAD))
    assert "int32_t v = " in short
    assert "int64_t v = " in long
    assert re.search(r"v \+= product(_short)?\(w\[i\], in\);", long)


def test_an_add_reads_both_messages():
    made = text(functions(program(LOIHI2, 4, 2))[2])
    assert "const int32_t in = u[h], aside = s[h];" in made
    assert "k->weight * in + k->skip * aside" in made
    assert "run_sum(const message *u, const message *s, message *m)" in made


class TestReadout:
    def test_the_bias_counts_at_every_token(self):
        made = text(functions(program(LOIHI2, 3, 2))[-1])
        assert "int32_t v = k->bias;" in made
        assert "score[o] += v;" in made

    def test_scores_have_the_type_of_the_unit(self):
        given = program(LOIHI2, 3, 2)
        assert "int64_t *score" in text(functions(given)[-1])
        assert "int32_t *score" in text(Unit(given, "m", 5).functions[-1])

    def test_one_row_for_all_classes_of_one_bias(self):
        given = program(LOIHI2, 4, 2)
        same = replace(given, readout=replace(given.readout, bias=np.full(4, -7)))
        made = functions(same)[-1]
        assert "int32_t v0 = (-7);" in text(made)
        assert "readout_channels" not in text(made)


class TestOperations:
    def test_of_a_dense_layer(self):
        dense = functions(program(LOIHI2, 5, 3))[0]
        assert (dense.multiplications, dense.additions) == (5 * 3 + 5, 5 * 3)

    def test_of_an_add(self):
        added = functions(program(LOIHI2, 5, 3))[2]
        assert (added.multiplications, added.additions) == (3 * 5, 5)

    def test_of_the_readout(self):
        last = functions(program(LOIHI2, 5, 3))[-1]
        assert (last.multiplications, last.additions) == (25, 25 + 5)


def test_constants_are_those_of_the_program():
    given = program(LOIHI2, 6, 2)
    dense = given.nodes[0]
    matrix, table = functions(given)[0].constants
    np.testing.assert_array_equal(matrix.values, dense.weight)
    np.testing.assert_array_equal(table.columns["bias"], dense.bias)
    np.testing.assert_array_equal(table.columns["multiplier"], dense.descale.multiplier)
    assert "multiplier" not in table.members, "one factor for all stands in the code"


def test_weights_are_as_narrow_as_they_are():
    wide, narrow = program(BROAD, 4, 2), program(LOIHI2, 4, 2)
    assert functions(narrow)[0].constants[0].kind.name == "int8_t"
    assert functions(wide)[0].constants[0].kind.name == "int16_t"
