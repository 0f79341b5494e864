"""An S4D node in C: which text follows from which parameters, and the same bits for all of them."""

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
from ns4d.program import S4D, Descale, InputQuantizer, Metadata, Program, Readout

SMALL = replace(WIDE, name="small", state_bits=10, message_bits=6, coefficient_bits=8)
ROOMY = replace(LOIHI2, name="roomy", accumulator_bits=40, coefficient_bits=24, state_bits=32)


def program(arithmetic: Arithmetic, **changes) -> Program:
    """Two channels of two modes, with the given fields in place of the usual ones."""
    top = arithmetic.coefficient_max
    fields = {
        "a_re": np.array([[top // 2, -top // 3], [top // 4, top // 5]]),
        "a_im": np.array([[top // 3, top // 4], [-top // 2, top // 6]]),
        "b_re": np.array([[2, 2], [1, 1]]),
        "b_im": np.zeros((2, 2), np.int64),
        "c_re": np.array([[3, -5], [7, 2]]),
        "c_im": np.array([[1, 4], [-6, 3]]),
        "d": np.array([2, -3]),
        "a_shift": arithmetic.coefficient_bits - 1,
        "b_shift": np.array([0, 0]),
        "c_shift": np.array([4, 4]),
        "d_shift": np.array([1, 1]),
    } | changes
    top = arithmetic.message_max
    descale = Descale(np.array([3, 2]), 4, np.array([top, top]), relu=False)
    node = S4D("neuron", **fields, descale=descale)
    return Program(
        arithmetic,
        InputQuantizer(np.zeros(2), np.ones(2)),
        (node,),
        Readout(np.array([[1, -1]]), np.array([0])),
        Metadata("t", ("only",)),
    )


def function(given: Program) -> Function:
    return Unit(given, "m").functions[0]


def text(given: Program) -> str:
    return "\n".join(function(given).lines)


BROAD = {"b_re": np.array([[2, 3], [1, 1]]), "b_im": np.array([[1, 0], [0, 2]])}
UNEVEN = {
    "b_shift": np.array([0, 3]),
    "c_shift": np.array([4, 7]),
    "d_shift": np.array([1, 9]),
}
# A name for each -> the program. The conformance family does not reach all of these by chance.
PROGRAMS = {
    "loihi2": program(LOIHI2),
    "loihi2, b by mode": program(LOIHI2, **BROAD),
    "loihi2, real b by mode": program(LOIHI2, b_re=BROAD["b_re"]),
    "loihi2, uneven shifts": program(LOIHI2, **UNEVEN, **BROAD),
    "loihi2, no drive": program(LOIHI2, b_re=np.zeros((2, 2), np.int64)),
    "loihi2, large shifts": program(LOIHI2, c_shift=np.array([40, 50]), d_shift=np.array([62, 3])),
    "loihi2, saturating": program(LOIHI2, a_shift=13, c_shift=np.array([8, 8])),
    "wide": program(WIDE),
    "wide, b by mode": program(WIDE, **BROAD),
    "wide, uneven shifts": program(WIDE, **UNEVEN, **BROAD),
    "wide, drive finer than a": program(WIDE, b_shift=np.array([17, 15])),
    "wide, saturating": program(WIDE, a_shift=13, c_shift=np.array([8, 8])),
    "small": program(SMALL),
    "small, uneven shifts": program(SMALL, **UNEVEN),
    "small, nothing shifted": program(
        SMALL, a_re=np.eye(2, dtype=np.int64), a_im=np.zeros((2, 2), np.int64), a_shift=0
    ),
    "roomy": program(ROOMY, c_shift=np.array([0, 0]), c_re=np.full((2, 2), 2**20)),
    "roomy, saturating": program(ROOMY, a_shift=20),
}


@pytest.fixture(scope="module")
def engines() -> list[C99]:
    require_compiler("gcc")
    checks = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    return [C99("gcc"), C99("gcc", ("-O0", "-DNS4D_SPLIT", *checks))]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_one_has_the_bits_of_the_reference(engines, name):
    given = PROGRAMS[name]
    top = given.arithmetic.message_max
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(12) % 2, top, -top)
    random = rng.integers(-top, top + 1, 12)
    u = np.repeat(np.stack([np.full(12, top), signs, random])[:, :, None], 2, axis=2)
    # The paths differ in products alone; the conformance family runs all on both.
    engine = engines[list(PROGRAMS).index(name) % 2]
    assert compare(engine, given, u).difference is None


class TestDrive:
    def test_one_drive_is_computed_once_per_channel(self):
        for name in ("loihi2", "wide"):
            before, _, inside = text(PROGRAMS[name]).partition("for (int n")
            assert "drive = " in before
            assert "k->b" in before
            assert "mode->b" not in inside

    def test_drives_of_modes_are_read_with_them(self):
        for name in ("loihi2, b by mode", "wide, b by mode"):
            assert "drive" not in text(PROGRAMS[name])
            assert "mode->b_re" in text(PROGRAMS[name])
            assert "mode->b_im" in text(PROGRAMS[name])

    def test_a_real_drive_leaves_the_imaginary_part_alone(self):
        made = text(PROGRAMS["loihi2, real b by mode"])
        assert "b_im" not in made
        assert re.search(r"next_im = \w+\(0, mode->a_re, im", made)


class TestShifts:
    def test_shifts_that_are_equal_are_numbers(self):
        for name in ("loihi2", "wide"):
            assert not re.search(r"k->\w*(shift|up)", text(PROGRAMS[name]))

    def test_shifts_that_differ_are_read_from_the_channel(self):
        made = text(PROGRAMS["loihi2, uneven shifts"])
        assert "k->b_shift" in made
        assert "k->c_shift" in made
        assert "k->d_shift" in made
        made = text(PROGRAMS["wide, uneven shifts"])
        assert "k->out_shift" in made
        assert "k->b_up" in made

    def test_a_drive_that_is_finer_than_a_raises_the_products_of_a(self):
        made = text(PROGRAMS["wide, drive finer than a"])
        assert "k->a_up" in made
        assert re.search(r"const (\w+) half = \(\(\(\1\)1 << k->shift\) >> 1\);", made)

    def test_where_nothing_is_shifted_nothing_is_written(self):
        made = text(PROGRAMS["small, nothing shifted"])
        assert "sum_re, 0" not in made
        assert not re.search(r"\+ 0[;,)]", made)


class TestTypes:
    def test_states_are_as_narrow_as_their_bound(self):
        kinds = {name: function(given).states.kind.name for name, given in PROGRAMS.items()}
        assert kinds["loihi2, saturating"] == "int32_t"
        assert kinds["small"] in ("int8_t", "int16_t")
        assert kinds["loihi2, no drive"] == "int8_t"

    def test_small_sums_have_32_bits(self):
        assert "int32_t sum_re" in text(PROGRAMS["small"])
        assert "int32_t y" in text(PROGRAMS["small"])
        assert "int64_t sum_re" in text(PROGRAMS["wide"])

    def test_large_sums_have_64(self):
        made = text(PROGRAMS["roomy, saturating"])
        assert "int64_t sum_re = add_wide_64(" in made
        assert "clip_64(sum_re, -2147483647, 2147483647)" in made
        assert "int64_t v" in text(PROGRAMS["roomy"])


class TestSaturation:
    def test_only_where_some_state_may_saturate(self):
        for name, given in PROGRAMS.items():
            may = given.ranges[0].may_saturate > 0
            update = text(given).partition("m[h] =")[0]
            assert ("(d)" in update or "clip_64(s" in update) == may, name
            word = "may saturate at" if may else "provably stay within"
            assert word in function(given).lines[0]

    def test_there_are_both(self):
        may = [given.ranges[0].may_saturate > 0 for given in PROGRAMS.values()]
        assert any(may)
        assert not all(may)

    def test_one_test_serves_both_parts(self):
        made = text(PROGRAMS["loihi2, saturating"])
        assert made.count("8388607u) |") == 1
        assert made.count("clip(next_") == 2
        assert text(PROGRAMS["wide, saturating"]).count("clip_64(shift_floor_64(sum_") == 2


class TestTables:
    def test_a_mode_stands_behind_its_channel(self):
        modes, channels = function(PROGRAMS["loihi2"]).constants
        assert modes.rows == 4
        assert channels.rows == 2
        given = PROGRAMS["loihi2"].nodes[0]
        np.testing.assert_array_equal(modes.columns["a_re"], given.a_re.reshape(-1))
        np.testing.assert_array_equal(modes.columns["minus_c_im"], -given.c_im.reshape(-1))

    def test_no_column_is_kept_that_the_code_does_not_read(self):
        for name, given in PROGRAMS.items():
            made = function(given)
            code = "\n".join(made.lines)
            for table, row in zip(made.constants, ("mode->", "k->"), strict=True):
                for column in table.members:
                    assert f"{row}{column}" in code, (name, column)


@pytest.mark.parametrize(
    ("name", "products", "sums"),
    [
        ("loihi2", 4 * 6 + 2 * 3, 4 * 6 + 2),
        ("loihi2, b by mode", 4 * 8 + 2 * 2, 4 * 6 + 2),
        ("loihi2, real b by mode", 4 * 7 + 2 * 2, 4 * 6 + 2),
    ],
)
def test_operations(name, products, sums):
    made = function(PROGRAMS[name])
    assert (made.multiplications, made.additions) == (products, sums)
