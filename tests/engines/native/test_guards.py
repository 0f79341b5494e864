"""What nobody should do to a machine, and what must not happen when somebody does."""

from __future__ import annotations

import _thread
import multiprocessing
import threading
import time

import numpy as np
import pytest

from ns4d import jit
from ns4d.engines import Reference
from ns4d.engines.native import Native
from ns4d.engines.native import machine as native_machine
from ns4d.errors import ConfigError, RangeError, ShapeError
from program_strategies import random_program

BOTH = pytest.mark.parametrize("engine", [Reference(), Native(2)], ids=lambda engine: engine.name)


@pytest.fixture
def program():
    return random_program(np.random.default_rng(0), inputs=2, layers=1, uniform=True)


@BOTH
@pytest.mark.parametrize(
    ("u", "message"),
    [
        (np.zeros((1, 4, 2), int), "expected one row for each of 3 streams, got 1 rows"),
        (np.zeros((4, 4, 2), int), "expected one row for each of 3 streams, got 4 rows"),
        (np.zeros((3, 4, 3), int), "whose last axis is the 2 inputs"),
        (np.zeros((3, 2), int), r"of shape \(b, l, i\)"),
        (np.zeros((3, 4, 2), bool), "floats .* or integers"),
    ],
)
def test_a_wrong_shape_changes_nothing(program, engine, u, message):
    machine = engine.load(program, 3)
    machine.advance(np.ones((3, 2, 2), int))
    before = machine.state
    with pytest.raises(ShapeError, match=message):
        machine.advance(u)
    assert machine.state == before


@BOTH
@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, -2048, 2048])
def test_an_integer_beyond_a_message_changes_nothing(program, engine, value):
    machine = engine.load(program, 1)
    before = machine.state
    with pytest.raises(RangeError, match="expected an integer message from -2047 to 2047"):
        machine.token(np.array([1, value]))
    with pytest.raises(RangeError, match="expected an integer message from -2047 to 2047"):
        machine.advance(np.array([[[1, 2], [value, 0]]]))
    assert machine.state == before


@BOTH
def test_a_single_token_needs_a_single_stream(program, engine):
    machine = engine.load(program, 3)
    for token in (np.zeros(2), np.zeros(2, int)):
        with pytest.raises(ShapeError, match="expected a machine of one stream, got one of 3"):
            machine.token(token)
    assert machine.state.tokens_seen == 0


def test_real_numbers_are_quantized_on_every_way_in(program):
    x = np.random.default_rng(1).normal(size=(2, 6, 2))
    one, two = Native(2).load(program, 2), Native(2).load(program, 2)
    np.testing.assert_array_equal(one.advance(x), two.advance(program.quantize_input(x)))


@pytest.mark.parametrize("classes", [40, 2_000, 5_000])
def test_many_classes_have_room(classes):
    rng = np.random.default_rng(0)
    program = random_program(rng, channels=8, modes=1, layers=1, classes=classes)
    u = rng.integers(-2047, 2048, (3, 70, 1))
    wanted = Reference().load(program, 3).advance(u)
    np.testing.assert_array_equal(Native(2).load(program, 3).advance(u), wanted)


@pytest.mark.parametrize("threads", [0, -1, True])
def test_a_number_of_threads_that_is_none(threads):
    with pytest.raises(ConfigError, match="expected an integer of at least 1"):
        Native(threads)


def test_without_a_folder_to_write_kernels_are_compiled_all_the_same():
    calls = []

    def compiler(cache=False):
        calls.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    assert jit.kept(compiler, len) is len
    assert calls == [True, False]


def test_long_calls_come_in_slices(program, monkeypatch):
    u = np.random.default_rng(1).integers(-2047, 2048, (3, 50, 2))
    wanted = Native(2).load(program, 3).advance(u)
    trace = Native(2).trace(program, u)
    monkeypatch.setattr(native_machine, "SLICE", 7)
    machine = Native(2).load(program, 3)
    np.testing.assert_array_equal(machine.advance(u), wanted)
    assert machine.state.tokens_seen == 50
    for name, sent in Native(2).trace(program, u).items():
        np.testing.assert_array_equal(sent, trace[name])


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_leaves_every_stream_where_its_state_says(program, monkeypatch, threads):
    monkeypatch.setattr(native_machine, "SLICE", 512)
    top = 200_000
    u = np.random.default_rng(1).integers(-2047, 2048, (2, top, 2))
    machine = Native(threads).load(program, 2)
    timer = threading.Timer(0.01, _thread.interrupt_main)
    timer.start()
    try:
        machine.advance(u)
        time.sleep(1)  # the call was faster than the timer; the interrupt comes here
    except KeyboardInterrupt:
        pass
    timer.join()
    seen = machine.state.tokens_seen
    fresh = Native(1).load(program, 2)
    fresh.advance(u[:, :seen])
    assert machine.state == fresh.state


FORKED = {}  # a fork takes it along; a program cannot be pickled


def _scores():
    return Native(2).load(FORKED["program"], 2).advance(FORKED["u"])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking with threads, on purpose
def test_a_forked_process_has_threads_of_its_own(program):
    FORKED["program"], FORKED["u"] = program, np.random.default_rng(1).integers(-9, 9, (2, 30, 2))
    wanted = _scores()  # starts the threads of this process
    with multiprocessing.get_context("fork").Pool(1) as pool:
        got = pool.apply_async(_scores).get(timeout=60)
    np.testing.assert_array_equal(got, wanted)
