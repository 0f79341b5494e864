"""The primitives in C are those of numerics.md, at every edge, on each path of the preprocessor."""

from __future__ import annotations

import ctypes
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from export.c99_host import library
from ns4d.export.c99 import primitives
from ns4d.export.c99.primitives import SPLIT_FACTOR_MAX, Primitive, definitions
from ns4d.export.c99.templates import template

INT32, INT64 = 2**31 - 1, 2**63 - 1
PATHS = {"plain": "-DNS4D_PLAIN", "split": "-DNS4D_SPLIT"}
ALL = [value for value in vars(primitives).values() if isinstance(value, Primitive)]


def shift_floor(p: int, s: int) -> int:
    return p >> s


def toward_zero(p: int, s: int) -> int:
    return p >> s if p >= 0 else -(-p >> s)


def clip(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


MEANING = {
    "shift_floor": shift_floor,
    "shift_floor_64": shift_floor,
    "shift_toward_zero": toward_zero,
    "shift_toward_zero_64": toward_zero,
    "clip": clip,
    "clip_64": clip,
    "product": lambda k, x: k * x,
    "product_short": lambda k, x: k * x,
    "product_long": lambda k, x: k * x,
    "add_high": lambda total, k, x: total + toward_zero(k * x, 32),
    "add_shifted": lambda total, k, x, s: total + toward_zero(k * x, s),
    "add_wide": lambda total, k, x, s: total + toward_zero(k * x, s),
    "add_wide_64": lambda total, k, x, s: total + toward_zero(k * x, s),
}


def wrappers(functions: list[Primitive]) -> str:
    """C that applies each function to rows of 64-bit arguments."""
    lines = ["#include <stdint.h>", *definitions(functions)]
    for function in functions:
        head = re.search(rf"^static inline \w+ {function.name}\(([^)]*)\)", function.text, re.M)
        assert head is not None
        kinds = [argument.split()[0] for argument in head[1].split(",")]
        count = len(kinds)
        call = ", ".join(f"({kind})in[{count} * j + {k}]" for k, kind in enumerate(kinds))
        lines += [
            f"void each_{function.name}(const int64_t *in, int64_t count, int64_t *out);",
            f"void each_{function.name}(const int64_t *in, int64_t count, int64_t *out)",
            f"{{ for (int64_t j = 0; j < count; j++) out[j] = {function.name}({call}); }}",
        ]
    return "\n".join(lines) + "\n"


def apply(functions: ctypes.CDLL, name: str, rows: list[tuple[int, ...]]) -> list[int]:
    arguments = np.array(rows, dtype=np.int64)
    out = np.zeros(len(rows), dtype=np.int64)
    pointers = (ctypes.c_void_p(arguments.ctypes.data), ctypes.c_void_p(out.ctypes.data))
    getattr(functions, f"each_{name}")(pointers[0], ctypes.c_int64(len(rows)), pointers[1])
    return out.tolist()


def checked(folder: Path, path: str) -> ctypes.CDLL:
    """All primitives, with undefined behaviour an error."""
    checks = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    return library(wrappers(ALL), folder, PATHS[path], *checks)


@pytest.fixture(scope="module")
def functions(tmp_path_factory) -> ctypes.CDLL:
    return checked(tmp_path_factory.mktemp("plain"), "plain")


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> ctypes.CDLL:
    return checked(tmp_path_factory.mktemp("split"), "split")


def edges(largest: int) -> list[int]:
    """Numbers around every power of two, of both signs."""
    powers = [2**k for k in range(largest.bit_length())]
    near = {p + d for p in powers for d in (-1, 0, 1)} | {0, largest}
    return sorted(sign * n for n in near if n <= largest for sign in (-1, 1))


def check(functions: ctypes.CDLL, name: str, rows: list[tuple[int, ...]]) -> None:
    assert rows
    assert apply(functions, name, rows) == [MEANING[name](*row) for row in rows]


def test_every_primitive_has_a_meaning():
    assert {each.name for each in ALL} == set(MEANING)


@pytest.mark.parametrize("name", ["shift_floor", "shift_toward_zero"])
def test_short_shifts(functions, name):
    check(functions, name, list(product(edges(INT32), range(31))))


@pytest.mark.parametrize("name", ["shift_floor_64", "shift_toward_zero_64"])
def test_long_shifts(functions, name):
    check(functions, name, list(product(edges(INT64), range(63))))


def test_shifts_of_consecutive_numbers(functions):
    for name in ("shift_floor", "shift_toward_zero", "shift_floor_64", "shift_toward_zero_64"):
        check(functions, name, list(product(range(-70, 71), range(8))))


def test_clips(functions):
    limits = [(-1, 1), (0, 0), (0, INT32), (-INT32, INT32), (-2047, 2047), (0, 255)]
    numbers = edges(INT32)
    check(functions, "clip", [(x, *limit) for x in numbers for limit in limits])
    numbers = edges(INT64)
    check(functions, "clip_64", [(x, *limit) for x in numbers for limit in limits])


def test_products_of_a_short_factor(functions, split):
    rows = list(product(edges(SPLIT_FACTOR_MAX), edges(INT32)))
    check(functions, "product", rows)
    check(split, "product", rows)


def test_products_that_fit_32_bits(functions, split):
    pairs = product(edges(2**23)[::2], edges(2**23))
    rows = [(k, x) for k, x in pairs if abs(k * x) <= INT32]
    check(functions, "product_short", rows)
    check(split, "product_short", rows)


def test_products_of_two_long_factors(functions):
    check(functions, "product_long", list(product(edges(2**24), edges(INT32))))


def test_the_upper_half_of_a_product_is_added_toward_zero(functions):
    totals = (0, -1, 2**30 - 1)
    rows = [(t, k, x) for t in totals for k in edges(2**30)[::3] for x in edges(2**31 - 1)]
    # The product is below 2^62, so that the sum stays within 32 bits.
    rows = [(t, k, x) for t, k, x in rows if abs(k * x) < 2**62]
    check(functions, "add_high", rows)


def test_multiples_of_the_divisor_and_their_neighbours(functions):
    """Where rounding turns: p = m·2^32 + e."""
    rows = []
    for m in (-3, -2, -1, 0, 1, 2, 3):
        for e in (-2, -1, 0, 1, 2):
            p = m * 2**32 + e
            rows += [(5, k, p // k) for k in range(1, 40) if p % k == 0 and abs(p // k) <= INT32]
            rows += [(5, -k, -x) for _, k, x in rows[-3:]]
    check(functions, "add_high", rows)


def test_shifted_products(functions):
    numbers = edges(2**15)
    rows = [(t, k, x, s) for t in (0, -7) for k in numbers for x in numbers for s in (0, 1, 14, 30)]
    check(functions, "add_shifted", [row for row in rows if abs(row[1] * row[2]) <= INT32 - 7])


@pytest.mark.parametrize("name", ["add_wide", "add_wide_64"])
def test_wide_products(functions, name):
    rows = [
        (3, k, x, s) for k in edges(2**23)[::4] for x in edges(INT32) for s in (0, 1, 31, 40, 62)
    ]
    fits = INT32 - 3 if name == "add_wide" else INT64
    check(functions, name, [row for row in rows if abs(row[1] * row[2]) >> row[3] <= fits])


class TestDefinitions:
    """Which text a file gets."""

    def test_what_is_called_comes_first_and_once(self):
        text = "".join(definitions([primitives.ADD_WIDE, primitives.ADD_WIDE_64] * 2))
        assert text.count("shift_toward_zero_64(int64_t p") == 1
        assert text.index("shift_toward_zero_64(int64_t p") < text.index("add_wide(int32_t sum")

    def test_what_only_one_path_calls_is_defined_on_that_path_only(self):
        (floor, *_) = definitions([primitives.PRODUCT])
        assert floor.startswith("#if defined(NS4D_SPLIT)\n")
        assert floor.endswith("#endif\n")

    def test_what_both_paths_call_has_no_condition(self):
        texts = definitions([primitives.PRODUCT, primitives.SHIFT_FLOOR])
        assert not any(text.startswith("#if") for text in texts)

    def test_two_texts_of_one_name_are_a_mistake_of_ours(self):
        other = Primitive("clip", "something else")
        with pytest.raises(AssertionError, match="clip"):
            definitions([primitives.CLIP, other])

    def test_the_file_holds_nothing_but_these(self):
        blocks = template("primitives.c").strip().split("\n\n")[1:]
        assert len(blocks) == len(ALL)


def test_no_shift_of_a_negative_number_is_left_to_the_compiler():
    """Every >> of a signed value stands in one of the four shifts, behind its test of the sign."""
    shifts = {"shift_floor", "shift_floor_64", "shift_toward_zero", "shift_toward_zero_64"}
    for each in ALL:
        code = re.sub(r"/\*.*?\*/", "", each.text, flags=re.DOTALL)
        assert (">>" in code) == (each.name in shifts), each.name
        assert each.name not in shifts or "p < 0 ?" in code
