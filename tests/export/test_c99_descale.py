"""(4) in C: each way to write it, chosen by its bounds, has the bits of the reference."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from export.c99_host import library
from export.test_c99_primitives import edges
from ns4d.engines import reference
from ns4d.export.c99.descale import descale_columns, descaling
from ns4d.export.c99.primitives import definitions
from ns4d.export.c99.tables import Table
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import Descale

# Bound of the accumulator, multiplier, shift, limit, relu -> what the statement has in it.
CASES = {
    "a short product": (2**15, 2**15 - 1, 18, 2047, True, "clip(shift_floor(9 * v"),
    "nothing shifted": (100, 20, 0, 2047, False, "clip(9 * v, -"),
    "a long product": (2**23 - 1, 2**15 - 1, 21, 2047, True, "shift_floor_64(product(9, v)"),
    "a long factor": (2**23 - 1, 2**20, 30, 2047, True, "shift_floor_64(product_long(9, v)"),
    "a long accumulator": (2**38, 2**15 - 1, 40, 32767, False, "(int64_t)9 * v"),
    "a quotient beyond 32 bits": (2**38, 2**23 - 1, 10, 2**22, False, "clip_64("),
    "a long accumulator times 0": (2**38, 0, 3, 5, False, "(int64_t)9 * v"),
    "a large shift": (2**23 - 1, 2**15 - 1, 62, 3, False, "_64("),
}


def statement(arithmetic: Arithmetic, bound, multiplier, shift, limit, relu):
    """For one channel, whose factor and limit are numbers in the code."""
    descale = Descale(np.array([multiplier]), shift, np.array([limit]), relu)
    table = Table("t", "t", descale_columns(descale))
    return descaling(arithmetic, descale, np.array([bound]), table, "*m")


@pytest.mark.parametrize("case", CASES)
def test_the_form_follows_from_the_bounds(case):
    *given, part = CASES[case]
    made = statement(LOIHI2, *given)
    assert part.replace("9", str(given[1])) in made.statement
    assert made.statement.startswith("*m = (message)clip")


def test_half_is_added_where_the_profile_rounds_to_the_nearest():
    given = (2**23 - 1, 2**15 - 1, 21, 2047, True)
    assert "+ 1048576, 21)" in statement(WIDE, *given).statement
    assert "1048576" not in statement(LOIHI2, *given).statement


def test_relu_clips_at_zero():
    given = (2**20, 2**10, 12, 99)
    assert statement(LOIHI2, *given, True).statement.endswith(", 0, 99);")
    assert statement(LOIHI2, *given, False).statement.endswith(", -99, 99);")


def test_factors_that_differ_are_read_from_the_row():
    descale = Descale(np.array([3, 4]), 5, np.array([7, 7]), True)
    table = Table("t", "t", descale_columns(descale))
    made = descaling(LOIHI2, descale, np.array([100, 100]), table, "m[o + 1]", "k[1].", "v1")
    assert made.statement == (
        "m[o + 1] = (message)clip(shift_floor(k[1].multiplier * v1, 5), 0, 7);"
    )


def function(name: str, arithmetic: Arithmetic, case) -> tuple[str, tuple]:
    """A C function of v, and what it calls."""
    *given, _ = case
    made = statement(arithmetic, *given)
    kind = "int32_t" if given[0] <= 2**31 - 1 else "int64_t"
    text = (
        f"void {name}(const int64_t *in, int64_t count, int64_t *out);\n"
        f"void {name}(const int64_t *in, int64_t count, int64_t *out)\n{{\n"
        "    for (int64_t j = 0; j < count; j++) {\n"
        f"        message one, *const m = &one;\n        const {kind} v = ({kind})in[j];\n"
        f"        {made.statement}\n        out[j] = one;\n    }}\n}}\n"
    )
    return text, made.primitives


@pytest.fixture(scope="module", params=["-DNS4D_PLAIN", "-DNS4D_SPLIT"])
def functions(request, tmp_path_factory) -> ctypes.CDLL:
    """Every case under both roundings."""
    made = [
        function(f"case_{k}_{arithmetic.name}", arithmetic, case)
        for k, case in enumerate(CASES.values())
        for arithmetic in (LOIHI2, WIDE)
    ]
    primitives = definitions(each for _, needs in made for each in needs)
    head = ["#include <stdint.h>", "typedef int32_t message;"]
    text = "\n".join([*head, *primitives, *(text for text, _ in made)])
    folder = tmp_path_factory.mktemp("descale")
    return library(text, folder, request.param, "-fsanitize=undefined", "-fno-sanitize-recover=all")


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda profile: profile.name)
@pytest.mark.parametrize("index", range(len(CASES)), ids=list(CASES))
def test_the_bits_are_those_of_the_reference(functions, arithmetic, index):
    bound, multiplier, shift, limit, relu, _ = list(CASES.values())[index]
    descale = Descale(np.array([multiplier]), shift, np.array([limit]), relu)
    v = np.array(edges(bound), dtype=np.int64)
    turning = [k * 2**shift // max(multiplier, 1) + d for k in range(-6, 7) for d in (-1, 0, 1)]
    v = np.concatenate([v, [t for t in turning if abs(t) <= bound]]).astype(np.int64)
    out = np.zeros_like(v)
    pointers = (ctypes.c_void_p(v.ctypes.data), ctypes.c_void_p(out.ctypes.data))
    name = f"case_{index}_{arithmetic.name}"
    getattr(functions, name)(pointers[0], ctypes.c_int64(len(v)), pointers[1])
    expected = reference.descale(arithmetic, descale, v[:, None])[:, 0]
    np.testing.assert_array_equal(out, expected)
