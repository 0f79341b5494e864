"""Every form of sum + t(k·x, s) gives the same integer; the bounds choose the cheapest legal."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from export.c99_host import library
from export.test_c99_primitives import apply, edges, toward_zero, wrappers
from ns4d.export.c99 import primitives
from ns4d.export.c99.primitives import SPLIT_FACTOR_MAX
from ns4d.export.c99.quotients import Quotient, choose_quotient
from ns4d.export.c99.scalars import INT32_MAX

CHECKED = ("-fsanitize=undefined", "-fno-sanitize-recover=all")


def choose(k_max, x_max, shift, sum_max=2**20):
    """For channels of one factor each."""
    k = np.array(k_max, dtype=np.int64).reshape(-1, 1)
    return choose_quotient(k, x_max, np.array(shift, dtype=np.int64), sum_max)


# What is asked -> the function that answers.
CASES = {
    "narrow": (([100], 2000, [7]), "add_shifted_7_up_1"),
    "narrow, nothing shifted": (([100], 2000, [0]), "add_shifted_0"),
    "narrow at its limit": (([2**8], 2**23 - 1, [3]), "add_shifted_3_up_7"),
    "narrow, by channel": (([100, 50], 2000, [7, 9]), "add_shifted_up_1"),
    "narrow, by channel from 0": (([100, 50], 2000, [0, 9]), "add_shifted"),
    "loihi2's a": (([32767], 2**23 - 1, [15]), "add_high_15_1"),
    "loihi2's c": (([32767, 32000], 2**23 - 1, [17, 28]), "add_high_upper"),
    "32-bit states": (([127], 2**31 - 1, [8]), "add_high_8"),
    "small shifts by channel": (([2**12, 2**12], 2**20, [14, 15]), "add_high_lower"),
    "shifts on both sides of 16": (([32767, 32767], 2**22, [15, 19]), "add_high_any_1"),
    "long factors": (([2**20], 2**20, [20]), "add_high_20_2_long"),
    "long factors by channel": (([2**20, 5], 2**20, [20, 22]), "add_high_upper_2_long"),
    "shifts beyond 32": (([32767], 2**23 - 1, [33]), "add_wide"),
    "results beyond the room": (([2**20], 2**30, [2]), "add_wide"),
    "a product that fits, a shift that does not": (([100], 2000, [40]), "add_wide"),
    "sums beyond 32 bits": (([2**20], 2**30, [2], 2**40), "add_wide_64"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cheapest_form_is_chosen(case):
    arguments, name = CASES[case]
    assert choose(*arguments).primitive.name == name


def test_what_takes_a_shift_is_told_it():
    by_channel, fixed = choose([100, 50], 2000, [7, 9]), choose([100], 2000, [7])
    assert by_channel.added_to("v", "k->c", "x", "k->s") == "add_shifted_up_1(v, k->c, x, k->s)"
    assert fixed.added_to("v", "k->c", "x", "k->s") == "add_shifted_7_up_1(v, k->c, x)"


@pytest.fixture(scope="module", params=["-DNS4D_PLAIN", "-DNS4D_SPLIT"])
def forms(request, tmp_path_factory):
    """All forms of the cases, compiled together."""
    functions = list({choose(*arguments).primitive for arguments, _ in CASES.values()})
    return library(wrappers(functions), tmp_path_factory.mktemp("forms"), request.param, *CHECKED)


def rows_of(quotient: Quotient, k_max, x_max, shift, sum_max=2**20, *, fine=40):
    """Edges within what was promised, with the sum that they give."""
    rows, wanted = [], []
    for k_top, s in zip(k_max, shift, strict=True):
        ks, xs = edges(k_top), edges(x_max)
        for k, x in product(ks[:: max(1, len(ks) // fine)], xs[:: max(1, len(xs) // fine)]):
            total = 77 + toward_zero(k * x, s)
            if abs(total) <= max(sum_max, INT32_MAX):
                rows.append((77, k, x, s) if quotient.takes_shift else (77, k, x))
                wanted.append(total)
    return rows, wanted


@pytest.mark.parametrize("case", CASES)
def test_a_form_adds_the_quotient_toward_zero(forms, case):
    arguments, name = CASES[case]
    rows, wanted = rows_of(choose(*arguments), *arguments)
    assert len(rows) > 300
    assert apply(forms, name, rows) == wanted


def random_case(rng):
    """Factors, states and shifts of any legal profile."""
    k_top = int(2 ** rng.uniform(1, 23))
    x_max = int(2 ** rng.uniform(1, 31)) - 1
    base = int(rng.integers(0, 40))
    shift = [base] * 2 if rng.random() < 0.5 else [base, base + int(rng.integers(1, 12))]
    # A sum that the quotients fit, as a certificate would prove it.
    sum_max = 2 * (k_top * x_max >> min(shift)) + 100
    return [k_top, int(rng.integers(1, k_top + 1))], x_max, shift, sum_max


def test_random_forms_on_random_numbers(tmp_path):
    rng = np.random.default_rng(3)
    cases = [random_case(rng) for _ in range(80)]
    chosen = [choose(*case) for case in cases]
    names = {quotient.primitive.name for quotient in chosen}
    assert len(names) > 12
    assert any(name.endswith("_long") for name in names)
    for path in ("-DNS4D_PLAIN", "-DNS4D_SPLIT"):
        folder = tmp_path / path
        folder.mkdir()
        functions = library(wrappers(list({q.primitive for q in chosen})), folder, path, *CHECKED)
        for quotient, case in zip(chosen, cases, strict=True):
            rows, wanted = rows_of(quotient, *case, fine=14)
            assert apply(functions, quotient.primitive.name, rows) == wanted, case


def test_split_forms_are_for_short_factors_only():
    """A factor of more than 15 bits and a sign would overflow its halves."""
    short, long = choose([SPLIT_FACTOR_MAX], 2**23 - 1, [15]), choose([2**15], 2**23 - 1, [15])
    assert "NS4D_SPLIT" in short.primitive.text
    assert "NS4D_SPLIT" not in long.primitive.text
    assert short.primitive.name != long.primitive.name


def test_a_name_stands_for_one_text():
    rng = np.random.default_rng(5)
    texts: dict[str, str] = {}
    for _ in range(300):
        primitive = choose(*random_case(rng)).primitive
        assert texts.setdefault(primitive.name, primitive.text) == primitive.text


def test_a_narrow_product_takes_the_high_form_where_that_is_shorter():
    primitive = choose([100], 2000, [7]).primitive
    assert primitive.dsp == (primitives.ADD_HIGH,)
    assert "#if defined(NS4D_DSP)\n    return add_high(sum, k * 16777216, x * 2);" in primitive.text
    assert "sum + k * x / 128" in primitive.text


def test_the_high_form_needs_the_upper_half_alone():
    primitive = choose([32767], 2**23 - 1, [15]).primitive
    assert primitive.dsp == primitive.plain == (primitives.ADD_HIGH,)
    assert primitive.split == (primitives.SHIFT_FLOOR,)
    assert "add_high(sum, k * 65536, x * 2)" in choose([32767], 2**23 - 1, [15]).primitive.text
