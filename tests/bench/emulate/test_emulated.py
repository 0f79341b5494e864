"""The generated C on emulated cores: the bits of the reference, the sizes in the header."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ns4d
from bench.emulate.tools import EACH_TARGET, assert_same, core_of, require_toolchain
from conformance.family import case
from ns4d.bench.emulate.emulated import Core
from ns4d.bench.emulate.record import task_messages
from ns4d.bench.emulate.targets import TARGETS
from ns4d.bench.emulate.timing import Meter
from ns4d.bench.emulate.toolchain import build
from ns4d.errors import ArtefactError
from ns4d.export.c99.size import size_of
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2
from program_strategies import NARROW, random_program

M4 = TARGETS["cortex-m4"]


def extremes(program, tokens: int = 24) -> np.ndarray:
    top = program.arithmetic.message_max
    rng = np.random.default_rng(1)
    parts = [np.full((8, program.inputs), top), np.full((8, program.inputs), -top)]
    return np.concatenate([*parts, rng.integers(-top, top + 1, (tokens - 16, program.inputs))])


@pytest.mark.parametrize("seed", range(2))
def test_narrow_products_on_the_upper_half_of_a_long_one(seed):
    """Cortex-M4 multiplies to 64 bits also where 32 would do: only there this form exists."""
    narrow = replace(NARROW, name="narrow", coefficient_bits=6 + seed, state_bits=16)
    program = random_program(
        np.random.default_rng(seed), narrow, channels=8, modes=4, saturating=seed == 1, excess=2
    )
    assert_same(core_of(program, M4), program, extremes(program, 60))


@pytest.fixture(scope="module")
def digits(repository):
    return ns4d.load(repository / "benchmarks" / "results" / "digits" / "loihi2.ns4d")


@pytest.fixture(scope="module")
def digit_tokens(digits):
    pytest.importorskip("sklearn")
    return task_messages(digits, 2, None)


@EACH_TARGET
def test_digits_by_the_bits_of_the_reference(target, digits, digit_tokens):
    core = core_of(digits, target)
    core.paint_stack()
    for u in digit_tokens:
        assert_same(core, digits, u)
    size = size_of(Unit(digits, "model"))
    assert core.build.flash_bytes - size.constants_bytes <= size.code_bytes
    assert core.build.flash_bytes > size.constants_bytes
    assert core.state_bytes == size.ram_bytes
    assert core.stack_used <= size.stack_bytes
    assert core.build.variable_bytes == 0, "nothing may be kept outside the caller's struct"


@pytest.fixture(scope="module")
def smnist(repository, data_dir):
    program = ns4d.load(repository / "benchmarks" / "results" / "smnist" / "loihi2.ns4d")
    (u,) = task_messages(program, 1, data_dir)
    # From the middle of an image on: the first rows are empty.
    return program, u[200:240]


@EACH_TARGET
def test_smnist_by_the_bits_of_the_reference(target, smnist):
    program, u = smnist
    assert_same(core_of(program, target), program, u)


@EACH_TARGET
def test_gcc_gives_the_same_bits(target):
    program = case(1).program
    assert_same(core_of(program, target, prefix="gcc"), program, extremes(program))


def test_sizes_hold_when_optimized_for_size(digits):
    made = build(digits, require_toolchain(M4), ("-Os",))
    assert made.flash_bytes <= size_of(Unit(digits, "model")).flash_bytes


def test_the_assembly_is_what_counts_on_a_cortex_m4():
    """Without it the same bits take more instructions."""
    program = random_program(
        np.random.default_rng(5), LOIHI2, channels=16, modes=8, layers=2, uniform=True
    )
    counts = {}
    for options in (("-O2",), ("-O2", "-DNS4D_PLAIN")):
        core = core_of(program, M4, *options)
        assert_same(core, program, extremes(program, 20))
        meter = Meter(core.machine, core.memory)
        end = core.on_block(meter.see)
        core.step(np.array([100]))
        end()
        counts[options] = meter.instructions
    assert counts["-O2",] < counts["-O2", "-DNS4D_PLAIN"]


@EACH_TARGET
def test_runs_are_counted_as_instructions_are(target):
    """The sum over runs is what a hook on every single instruction counts; a Cortex-M4 passes over
    some by a condition, which the hook does not see.
    """
    from unicorn.unicorn_const import UC_HOOK_CODE

    core = core_of(case(3).program, target)
    token = np.zeros(core.build.program.inputs, np.int64)
    core.step(token)
    core.init()
    single = []
    core._emulator.ctl_flush_tb()
    hook = core._emulator.hook_add(UC_HOOK_CODE, lambda *_: single.append(1))
    core.step(token)
    core._emulator.hook_del(hook)
    core.init()
    meter = Meter(core.machine, core.memory)
    end = core.on_block(meter.see)
    core.step(token)
    end()
    passed_over = meter.instructions - len(single)
    assert len(single) > 1000
    assert 0 <= passed_over < 100 if target is M4 else passed_over == 0


def test_the_painted_stack_tells_what_was_used():
    core = core_of(case(3).program, M4)
    core.paint_stack()
    assert core.stack_used == 0
    core.init()
    small = core.stack_used
    core.step(np.zeros(core.build.program.inputs, np.int64))
    assert 0 <= small < core.stack_used < 1000


def test_a_core_that_lacks_an_instruction_says_so():
    """Code for a Cortex-M4 has instructions that a Cortex-M0 does not know."""
    toolchain = require_toolchain(M4)
    made = build(case(0).program, toolchain)
    with pytest.raises(ArtefactError, match="on cortex-m0: expected to run to its end"):
        core = Core(made, TARGETS["cortex-m0plus"].machine)
        core.step(np.zeros(made.program.inputs, np.int64))


def test_c_that_does_not_compile_is_an_error():
    with pytest.raises(ArtefactError, match="expected C that compiles without a warning"):
        build(case(0).program, require_toolchain(M4), ("-DNS4D_DSP=1", "-include", "nothing.h"))
