"""Sizes are those of the text; what does not fit is refused with sizes at which it would."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from ns4d.errors import ConfigError
from ns4d.export.c99.files import model_files
from ns4d.export.c99.fit import Change, Room, largest_width, needs, require_fit
from ns4d.export.c99.parts import PARTS, part_of
from ns4d.export.c99.size import FRAME_BYTES, size_of
from ns4d.export.c99.tables import Matrix
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import S4D, Dense, Descale, Program
from program_strategies import NARROW, random_program

SIZES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "int64_t": 8}


@pytest.fixture(params=[LOIHI2, WIDE, NARROW], ids=lambda profile: profile.name)
def unit(request) -> Unit:
    program = random_program(
        np.random.default_rng(7), request.param, channels=12, modes=6, layers=2, residual=True
    )
    return Unit(program, "model")


def counted_constants(text: str) -> int:
    """Flash by the C text itself: members of structures with padding, times rows."""
    total = 0
    for members, rows in re.findall(r"_row \{\n(.*?)\n\} \w+\[(\d+)\]", text, re.DOTALL):
        sizes = [
            SIZES[kind]
            for kind, names in re.findall(r"(\w+) ([^;]+);", members)
            for _ in names.split(",")
        ]
        total += int(rows) * -(-sum(sizes) // max(sizes)) * max(sizes)
    for kind, rows, columns in re.findall(r"const (\w+) \w+\[(\d+) \* (\d+)\]", text):
        total += SIZES[kind] * int(rows) * int(columns)
    return total


def test_flash_is_that_of_the_text(unit):
    text = model_files(unit)["model_constants.h"].decode()
    assert size_of(unit).constants_bytes == counted_constants(text)


def test_ram_is_that_of_the_text(unit):
    text = model_files(unit)["model.h"].decode()
    fields = re.findall(r"model_complex(\d+) \w+\[(\d+)\];", text)
    states = sum(2 * int(bits) // 8 * int(count) for bits, count in fields)
    scores = 8 * len(unit.program.classes)
    assert size_of(unit).ram_bytes == -(-(8 + scores + states) // 8) * 8


def test_stack_is_the_messages_and_an_allowance(unit):
    text = model_files(unit)["model.c"].decode()
    (buffers,) = re.findall(r"^    message (.*);$", text, re.M)
    (kind,) = re.findall(r"typedef (\w+) message;", text)
    messages = SIZES[kind] * sum(map(int, re.findall(r"\[(\d+)\]", buffers)))
    assert size_of(unit).stack_bytes == messages + FRAME_BYTES


def test_operations_are_those_of_the_loops():
    """By hand: 2 channels of 3 modes with b folded; a dense layer of 2 x 2; 3 classes."""
    program = random_program(np.random.default_rng(1), channels=2, modes=3, classes=3, uniform=True)
    size = size_of(Unit(program, "model"))
    encoder, neuron, mix, readout = 2 + 2, 2 * (3 * 6 + 3), 4 + 2, 3 * 2
    assert size.multiplications == encoder + neuron + mix + readout
    assert size.additions == 2 + 2 * (3 * 6 + 1) + 4 + (3 * 2 + 3)


def test_narrow_coefficients_take_less_flash():
    sizes = {}
    for profile in (LOIHI2, replace(LOIHI2, name="bytes", coefficient_bits=8)):
        program = random_program(np.random.default_rng(3), profile, channels=8, modes=8)
        (table,) = [
            constant
            for function in Unit(program, "m").functions
            for constant in function.constants
            if constant.name.endswith("modes")
        ]
        sizes[profile.name] = table.size_bytes
    assert sizes["bytes"] * 2 == sizes["loihi2"]


def test_narrow_states_take_less_ram():
    narrow = replace(LOIHI2, name="narrow", state_bits=16)
    sizes = [
        size_of(Unit(random_program(np.random.default_rng(3), a, channels=8), "m")).ram_bytes
        for a in (LOIHI2, narrow)
    ]
    assert sizes[0] - sizes[1] == 8 * 3 * 4


class TestFit:
    """What is refused, and with what advice."""

    @pytest.fixture
    def large(self) -> Unit:
        program = random_program(
            np.random.default_rng(2), LOIHI2, channels=24, modes=16, layers=2, uniform=True
        )
        return Unit(program, "model")

    def test_what_fits_passes(self, large):
        flash, ram = needs(large, Change())
        require_fit(large, Room("exactly this", flash, ram))
        require_fit(large, Room("anything", None, None))

    def test_what_is_needed_is_the_size(self, large):
        size = size_of(large)
        assert needs(large, Change()) == (size.flash_bytes, size.ram_bytes + size.stack_bytes)

    @pytest.mark.parametrize(("flash", "ram"), [(-1, 0), (0, -1), (-1, -1)])
    def test_a_byte_too_much_is_refused_with_the_numbers(self, large, flash, ram):
        needed = needs(large, Change())
        room = Room("tight", needed[0] + flash, needed[1] + ram)
        with pytest.raises(ConfigError) as caught:
            require_fit(large, room)
        assert caught.value.where == "export for tight"
        assert f"{needed[0] + flash:,} bytes of flash" in caught.value.expected
        assert f"{needed[0]:,} bytes of flash, {needed[1]:,} of RAM" in caught.value.got

    @pytest.mark.parametrize("share", [0.9, 0.6, 0.4])
    def test_the_advice_is_the_largest_that_fits(self, large, share):
        """Each number of the advice fits, and one more does not."""
        room = Room("small", None, int(needs(large, Change())[1] * share))
        with pytest.raises(ConfigError) as caught:
            require_fit(large, room)
        (modes,) = re.findall(r"N = (\d+) modes \(now 16\)", caught.value.fix)
        (channels,) = re.findall(r"H = (\d+) channels \(now 24\)", caught.value.fix)
        for key, number in (("modes", int(modes)), ("channels", int(channels))):
            assert room.holds(*needs(large, Change(**{key: number})))
            assert not room.holds(*needs(large, Change(**{key: number + 1})))

    def test_widths_are_named_when_they_are_enough(self, large):
        flash, ram = needs(large, Change())
        narrow_flash, narrow_ram = needs(large, Change(coefficient_bits=8, state_bits=16))
        for room, advice in (
            (Room("x", narrow_flash, None), "coefficient_bits 8, or N"),
            (Room("x", None, narrow_ram), "state_bits 16, or N"),
            (Room("x", narrow_flash, narrow_ram), "coefficient_bits 8 and state_bits 16, or N"),
        ):
            with pytest.raises(ConfigError, match=f"It fits with {advice}"):
                require_fit(large, room)
        assert narrow_flash < flash
        assert narrow_ram < ram

    def test_two_changes_are_named_where_one_is_not_enough(self, large):
        narrow = Change(coefficient_bits=8, state_bits=16)
        room = Room("tiny", *needs(large, replace(narrow, channels=1)))
        assert not room.holds(*needs(large, Change(modes=1)))
        assert not room.holds(*needs(large, Change(channels=1)))
        advice = "It fits with coefficient_bits 8, state_bits 16 and H = 1 channels"
        with pytest.raises(ConfigError, match=advice):
            require_fit(large, room)

    def test_where_nothing_helps_it_says_so(self, large):
        with pytest.raises(ConfigError, match=r"H = 1 and N = 1 need .* bytes still: take"):
            require_fit(large, Room("none", 100, None))

    def test_a_program_without_states(self):
        program = random_program(np.random.default_rng(2), channels=16, layers=0)
        unit = Unit(program, "model")
        assert largest_width(unit) == 16
        flash, _ = needs(unit, Change())
        with pytest.raises(ConfigError, match=r"It fits with H = 1\d channels \(now 16\)"):
            require_fit(unit, Room("x", flash - 1, None))


def smaller(program: Program, channels: int, modes: int) -> Program:
    """The first channels and modes of everything, as a program of its own."""

    def descale(given: Descale) -> Descale:
        return replace(given, multiplier=given.multiplier[:channels], limit=given.limit[:channels])

    nodes = []
    for node in program.nodes:
        if isinstance(node, Dense):
            weight = node.weight[:channels, :channels]
            nodes.append(
                replace(
                    node, weight=weight, bias=node.bias[:channels], descale=descale(node.descale)
                )
            )
        else:
            assert isinstance(node, S4D)
            fields = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im")
            cut = {name: getattr(node, name)[:channels, :modes] for name in fields}
            cut |= {
                name: getattr(node, name)[:channels]
                for name in ("d", "b_shift", "c_shift", "d_shift")
            }
            nodes.append(replace(node, **cut, descale=descale(node.descale)))
    readout = replace(program.readout, weight=program.readout.weight[:, :channels])
    return replace(program, nodes=tuple(nodes), readout=readout)


@pytest.mark.parametrize(("channels", "modes"), [(12, 8), (24, 5), (7, 3)])
def test_the_size_after_a_change_is_that_of_the_changed_program(channels, modes):
    """The advice is computed on sizes; here the program is really cut, then measured."""
    program = random_program(
        np.random.default_rng(5), LOIHI2, channels=24, modes=8, layers=2, uniform=True
    )
    unit, cut = Unit(program, "m"), Unit(smaller(program, channels, modes), "m")
    size = size_of(cut)
    same_types = [
        [
            type(c).__name__ if isinstance(c, Matrix) else list(c.members.items())
            for c in f.constants
        ]
        for f in unit.functions
    ] == [
        [
            type(c).__name__ if isinstance(c, Matrix) else list(c.members.items())
            for c in f.constants
        ]
        for f in cut.functions
    ]
    assert same_types, "choose another seed: a column became narrower by chance"
    after = needs(unit, Change(channels=channels, modes=modes))
    assert after == (size.flash_bytes, size.ram_bytes + size.stack_bytes)


class TestParts:
    def test_every_part_has_a_source_and_plausible_figures(self):
        for part in PARTS.values():
            assert part.source
            assert part.flash_bytes % 1024 == part.ram_bytes % 1024 == 0
            assert part.ram_bytes < part.flash_bytes
            assert 10_000_000 <= part.clock_hz <= 200_000_000

    def test_a_part_is_found_by_name(self):
        assert part_of("nrf52840").ram_bytes == 256 * 1024

    def test_an_unknown_part_is_refused_with_the_known_ones(self):
        with pytest.raises(ConfigError, match=r"one of nrf52840, .*give --flash and --ram"):
            part_of("esp99")
