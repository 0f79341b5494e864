"""The pieces from which the C is put together: types, tables, lines, buffers, bounds."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.engines import Reference, trace
from ns4d.engines.reference import update_each_toward_zero, update_sum_half_up
from ns4d.export.c99.bounds import neuron_bounds
from ns4d.export.c99.buffers import assign
from ns4d.export.c99.files import model_files
from ns4d.export.c99.layout import BREAKS, WIDTH, filled, wrapped
from ns4d.export.c99.scalars import INT32, INT64, TYPES, narrowest, sum_type, within
from ns4d.export.c99.tables import Matrix, Table, channel, literal
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE, ProductRounding
from ns4d.program import S4D, Add, Dense, Program
from program_strategies import ARITHMETICS, programs, random_add, random_dense, random_program


class TestTypes:
    @given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
    def test_the_narrowest_holds_its_range_and_no_smaller_one_does(self, one, other):
        low, high = sorted((one, other))
        found = narrowest(low, high)
        assert found.low <= low
        assert high <= found.high
        smaller = [kind for kind in TYPES if kind.size_bytes < found.size_bytes]
        assert not any(kind.low <= low and high <= kind.high for kind in smaller)

    def test_signed_where_both_fit(self):
        assert narrowest(0, 127).name == "int8_t"
        assert narrowest(0, 128).name == "uint8_t"

    @pytest.mark.parametrize(
        ("bound", "name"), [(127, "int8_t"), (128, "int16_t"), (2**31, "int64_t")]
    )
    def test_a_bound_needs_a_sign(self, bound, name):
        assert within(bound).name == name

    def test_sums_have_32_bits_or_64(self):
        assert sum_type(2**31 - 1) is INT32
        assert sum_type(2**31) is INT64
        assert sum_type(0) is INT32


class TestTables:
    @pytest.fixture
    def table(self):
        columns = {
            "shift": np.array([5, 5, 5]),
            "small": np.array([1, -2, 3]),
            "large": np.array([70000, 0, -1]),
            "middle": np.array([300, 2, 3]),
        }
        return Table("t", "an example", columns)

    def test_what_is_the_same_everywhere_is_no_member(self, table):
        assert "shift" not in table.members
        assert table.value("shift", "k->") == "5"
        assert table.value("small", "k->") == "k->small"

    def test_members_are_narrow_and_the_widest_stands_first(self, table):
        assert [(n, kind.name) for n, kind in table.members.items()] == [
            ("large", "int32_t"),
            ("middle", "int16_t"),
            ("small", "int8_t"),
        ]

    def test_size_has_the_padding_at_the_end(self, table):
        assert table.size_bytes == 3 * 8  # 4 + 2 + 1, aligned to 4

    def test_text(self, table):
        assert list(table.lines()) == [
            "/* an example */",
            "static const struct t_row {",
            "    int32_t large;",
            "    int16_t middle;",
            "    int8_t small;",
            "} t[3] = {",
            "    {70000, 300, 1},",
            "    {0, 2, -2},",
            "    {-1, 3, 3},",
            "};",
        ]

    def test_a_table_without_members_is_no_text(self):
        table = Table("t", "an example", {"only": np.array([-3])})
        assert list(table.lines()) == []
        assert table.size_bytes == 0
        assert table.value("only", "k->") == "(-3)"
        assert channel(table, "h") == []

    def test_groups_begin_a_line(self):
        table = Table("t", "w", {"a": np.arange(6)}, rows_per_group=3)
        assert list(table.lines())[4:6] == ["    {0}, {1}, {2},", "    {3}, {4}, {5},"]

    def test_a_matrix(self):
        matrix = Matrix("m", "weights", np.array([[1, 200], [3, 4]]))
        assert list(matrix.lines()) == [
            "/* weights */",
            "static const uint8_t m[2 * 2] = {",
            "    1, 200,",
            "    3, 4,",
            "};",
        ]
        assert matrix.size_bytes == 4

    def test_negative_numbers_stand_in_brackets(self):
        assert (literal(-5), literal(5)) == ("(-5)", "5")


class TestLines:
    @given(st.lists(st.integers(-(10**9), 10**9).map(str), min_size=1, max_size=60))
    def test_filling_loses_nothing(self, items):
        lines = list(filled(items))
        assert [word.strip() for line in lines for word in line.split(",") if word.strip()] == items
        assert all(len(line) <= WIDTH for line in lines)

    @given(st.lists(st.sampled_from(["f(a, b)", "word", "g(x + y, z)", "k->member"]), min_size=1))
    def test_wrapping_loses_nothing(self, words):
        line = "        target = " + " + ".join(words) + ";"
        lines = list(wrapped(line))
        assert " ".join(part.strip() for part in lines) == line.strip()
        assert all(len(part) <= WIDTH for part in lines)
        assert all(part.startswith(" " * 12) for part in lines[1:])

    def test_short_lines_and_comments_stay(self):
        assert list(wrapped("x = 1;")) == ["x = 1;"]
        comment = "/* " + "word, " * 40 + "*/"
        assert list(wrapped(comment)) == [comment]

    def test_a_line_without_an_end_stays_long(self):
        line = "a" * 120
        assert list(wrapped(line)) == [line]
        assert all(mark not in line for mark in BREAKS)

    def test_it_breaks_outside_brackets_first(self):
        line = (
            "    m[h] = (message)clip("
            + "f(" * 3
            + "a" * 40
            + ", "
            + "b" * 20
            + ")))"
            + ", 0, k->limit);"
        )
        assert list(wrapped(line))[-1] == "        k->limit);"


class TestBuffers:
    """Messages wait in as few buffers as possible, and nobody overwrites what is read later."""

    def replay(self, program: Program) -> None:
        """Walk the program over the buffers, each filled with the name of who wrote it."""
        buffers = assign(program)
        content = {buffers.of[""]: ""}
        lengths = {"": program.inputs} | {node.name: node.outputs for node in program.nodes}
        before = ""
        for node in program.nodes:
            assert content[buffers.of[before]] == before
            if isinstance(node, Add):
                assert content[buffers.of[node.source]] == node.source
            if isinstance(node, Dense):
                assert buffers.of[node.name] != buffers.of[before]
            content[buffers.of[node.name]] = node.name
            assert buffers.lengths[buffers.of[node.name]] >= lengths[node.name]
            before = node.name
        assert content[buffers.of[before]] == before

    @settings(max_examples=30)
    @given(programs())
    def test_what_is_read_is_what_was_sent(self, program):
        self.replay(program)

    def test_two_buffers_are_enough_for_a_chain(self):
        program = random_program(np.random.default_rng(0), layers=3)
        assert len(assign(program).lengths) == 2

    def test_three_are_enough_for_residual_layers(self):
        program = random_program(np.random.default_rng(0), layers=3, residual=True)
        assert len(assign(program).lengths) == 3

    def test_a_source_far_back_waits_for_all_who_read_it(self):
        rng = np.random.default_rng(1)
        limit = np.array([LOIHI2.message_max])
        nodes = [random_dense(rng, LOIHI2, "first", 4, limit)]
        for k in range(4):
            nodes.append(random_dense(rng, LOIHI2, f"d{k}", 4, nodes[-1].descale.limit))
            nodes.append(random_add(rng, LOIHI2, f"a{k}", nodes[-1], nodes[0]))
        whole = random_program(rng, layers=0, channels=4)
        program = Program(
            whole.arithmetic, whole.input, tuple(nodes), whole.readout, whole.metadata
        )
        self.replay(program)
        assert len(assign(program).lengths) == 3


UPDATES = {
    ProductRounding.EACH_TOWARD_ZERO: update_each_toward_zero,
    ProductRounding.SUM_HALF_UP: update_sum_half_up,
}


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda profile: profile.name)
@pytest.mark.parametrize("saturating", [False, True])
def test_intermediates_stay_within_their_bounds(arithmetic, saturating):
    """Against what the reference computes before it clips, on extreme and random input."""
    program = random_program(
        np.random.default_rng(9), arithmetic, channels=6, modes=4, saturating=saturating
    )
    (node,) = program.recurrent
    proved = program.ranges[1]
    bounds = neuron_bounds(arithmetic, node, proved, program.nodes[0].descale.limit)
    assert bounds.saturates == (proved.may_saturate > 0)
    top = arithmetic.message_max
    rng = np.random.default_rng(0)
    constant, random = np.full((1, 60, 1), top), rng.integers(-top, top + 1, (4, 60, 1))
    signs = top * (-1) ** np.arange(60).reshape(1, 60, 1)
    u = np.concatenate([constant, -constant, signs, random])
    sent = trace(program, u, Reference())[program.nodes[0].name]
    machine = Reference().load(program, len(u))
    reached = 0
    for k in range(u.shape[1]):
        state = machine.state
        for part in UPDATES[arithmetic.product_rounding](
            node, state.x_re[node.name], state.x_im[node.name], sent[:, k]
        ):
            reached = max(reached, int(np.abs(part).max()))
        machine.advance(u[:, k : k + 1])
        assert np.abs(machine.state.x_re[node.name]).max() <= bounds.state
    assert reached <= bounds.after
    assert reached > 0
    assert np.abs(sent).max() <= bounds.message


def test_a_sum_of_products_is_bounded_before_its_shift():
    """SUM_HALF_UP by hand: (|ar| + |ai|)·B + |b|·L + half."""
    program = random_program(np.random.default_rng(3), WIDE, channels=2, modes=1, uniform=True)
    (node,) = program.recurrent
    assert isinstance(node, S4D)
    limit, states = program.nodes[0].descale.limit, program.ranges[1].states
    bounds = neuron_bounds(WIDE, node, program.ranges[1], limit)
    worst = 0
    for h in range(2):
        shift = max(node.a_shift, int(node.b_shift[h]))
        recur = (abs(int(node.a_re[h, 0])) + abs(int(node.a_im[h, 0]))) * int(states[h, 0])
        drive = abs(int(node.b_re[h, 0])) * int(limit[h])
        total = recur << (shift - node.a_shift)
        total += drive << (shift - int(node.b_shift[h]))
        worst = max(worst, total + (1 << shift >> 1))
    assert bounds.update == worst


def test_types_follow_the_bounds():
    """A program of small numbers has no 64-bit sum at all but the scores."""
    tiny = random_program(np.random.default_rng(4), ARITHMETICS[2], channels=2, modes=2)
    text = model_files(Unit(tiny, "model", 10))["model.c"].decode()
    functions = text[text.index("OWN_FRAME static") :]
    assert not re.search(r"int64_t (v|y|sum|drive)", functions)
    wide = random_program(np.random.default_rng(4), WIDE, channels=2, modes=2)
    assert re.search(r"int64_t sum_re", model_files(Unit(wide, "model"))["model.c"].decode())
