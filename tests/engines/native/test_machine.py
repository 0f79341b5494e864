"""The native machine's ways in: one token, chunks, many streams; all with the reference's bits."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ns4d.engines import Reference, State
from ns4d.engines.native import Native
from ns4d.engines.native import plan as p
from ns4d.engines.native.kernels import LONG, TOKENS
from ns4d.errors import RangeError, ShapeError
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import random_program

KINDS = {
    "loihi2": (LOIHI2, {"uniform": True}),
    "loihi2 clamped": (LOIHI2, {"uniform": True, "excess": 2}),
    "loihi2 per mode": (LOIHI2, {}),
    "wide": (WIDE, {"uniform": True}),
    "wide per mode": (WIDE, {}),
    "wide saturating": (WIDE, {"saturating": True}),
    "residual": (LOIHI2, {"residual": True, "uniform": True}),
}


@pytest.fixture(params=KINDS)
def program(request):
    arithmetic, kind = KINDS[request.param]
    rng = np.random.default_rng(3)
    return random_program(rng, arithmetic, 2, channels=11, modes=5, layers=2, classes=9, **kind)


def tokens(program, *shape):
    top = program.arithmetic.message_max
    return np.random.default_rng(4).integers(-top, top + 1, (*shape, program.inputs))


@pytest.mark.parametrize("length", [1, LONG - 1, LONG, TOKENS - 1, TOKENS, TOKENS + 1, 3 * TOKENS])
def test_any_length_of_chunk(program, length):
    u = tokens(program, 2, length)
    reference, native = Reference().load(program, 2), Native(2).load(program, 2)
    np.testing.assert_array_equal(native.advance(u), reference.advance(u))
    assert native.state == reference.state


@pytest.mark.parametrize("streams", [1, 2, TOKENS - 1, TOKENS, TOKENS + 1, 200])
def test_any_number_of_streams(program, streams):
    u = tokens(program, streams, 3)
    reference, native = Reference().load(program, streams), Native(3).load(program, streams)
    for k in range(3):
        wanted = reference.advance(u[:, k : k + 1])
        np.testing.assert_array_equal(native.advance(u[:, k : k + 1]), wanted)
    assert native.state == reference.state


def test_a_state_moves_between_engines_and_goes_on(program):
    u = tokens(program, 1, 60)
    whole = Reference().load(program, 1).advance(u)
    engines = [Native(1), Reference(), Native(2)]
    state, scores = None, []
    for k, engine in enumerate(engines):
        machine = engine.load(program, 1)
        if state is not None:
            machine.state = State.from_arrays(state.to_arrays())
        scores.append(machine.advance(u[:, 20 * k : 20 * k + 20]))
        state = machine.state
    np.testing.assert_array_equal(np.concatenate(scores, axis=1), whole)


def test_a_state_survives_its_own_layout(program):
    machine = Native(1).load(program, 3)
    machine.advance(tokens(program, 3, 10))
    other = Native(1).load(program, 3)
    other.state = machine.state
    assert other.state == machine.state
    assert (other.advance(tokens(program, 3, 9)) == machine.advance(tokens(program, 3, 9))).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8])
def test_a_token_of_any_type_is_what_the_reference_makes_of_it(program, dtype):
    values = np.random.default_rng(5).uniform(-3, 3, (5, program.inputs)) * (
        1 if np.dtype(dtype).kind == "f" else 10
    )
    values = np.abs(values).astype(dtype) if np.dtype(dtype).kind == "u" else values.astype(dtype)
    if np.dtype(dtype).kind != "f":
        values = np.clip(values, 0 if values.dtype.kind == "u" else -30, 30).astype(dtype)
    reference, native = Reference().load(program, 1), Native(1).load(program, 1)
    for value in values:
        np.testing.assert_array_equal(native.token(value), reference.token(value))
    assert native.state == reference.state


def test_views_and_frozen_arrays_are_tokens_too(program):
    frozen = np.array([0.5, -0.25])
    frozen.setflags(write=False)
    strided = np.array([0.5, 9.0, -0.25, 9.0])[::2]
    one, two = (Native(1).load(program, 1) for _ in range(2))
    np.testing.assert_array_equal(one.token(frozen), two.token(strided))


@pytest.mark.parametrize("value", [0.0, -0.0, 1e308, -1e308, 5e-324, 0.5, -0.5, 1.5, 2.0**52 + 0.5])
def test_extreme_reals_are_quantized_alike(program, value):
    scale, offset = program.input.scale, program.input.offset
    for token in (np.full(2, value), offset + scale * value):
        reference, native = Reference().load(program, 1), Native(1).load(program, 1)
        if np.isfinite(token).all():
            np.testing.assert_array_equal(native.token(token), reference.token(token))


def test_scores_are_not_overwritten_by_the_next_token(program):
    machine = Native(1).load(program, 1)
    first = machine.token(np.array([1.0, 2.0]))
    kept = first.copy()
    machine.token(np.array([-1.0, 3.0]))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 1])
def test_an_illegal_value_is_named_and_changes_nothing(program, bad, channel):
    machine = Native(1).load(program, 1)
    machine.token(np.array([0.1, 0.2]))
    before, token = machine.state, np.array([0.3, 0.4])
    token[channel] = bad
    with pytest.raises(RangeError, match=rf"^channel {channel}: expected a finite number"):
        machine.token(token)
    assert machine.state == before


@pytest.mark.parametrize("token", [np.zeros(3), np.zeros((1, 2)), np.zeros(2, bool)])
def test_an_illegal_token_is_refused(program, token):
    with pytest.raises(ShapeError, match=r"^tokens: expected"):
        Native(1).load(program, 1).token(token)


def test_the_last_safe_token_is_the_last(program):
    machine = Native(1).load(program, 1)
    machine.advance(tokens(program, 1, 4))
    start = machine.state
    last = State(start.x_re, start.x_im, start.r, program.safe_tokens - 1)
    machine.state = last
    machine.token(np.zeros(2))
    with pytest.raises(RangeError, match="proved safe for 64-bit scores"):
        machine.token(np.zeros(2))
    with pytest.raises(RangeError, match="proved safe for 64-bit scores"):
        machine.advance(tokens(program, 1, 1))
    assert machine.state.tokens_seen == program.safe_tokens


def test_machines_of_one_program_share_parameters_but_no_state(program):
    engine = Native(1)
    one, two = engine.load(program, 1), engine.load(program, 1)
    assert one.plan is two.plan
    one.advance(tokens(program, 1, 5))
    assert two.state == engine.load(program, 1).state


def test_the_kernels_release_the_interpreter(program):
    # Two machines in two threads give what they give one after the other.
    u = tokens(program, 1, 2000)
    wanted = Native(1).load(program, 1).advance(u)
    results = {}

    def work(k):
        results[k] = Native(1).load(program, 1).advance(u)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(3):
        np.testing.assert_array_equal(results[k], wanted)


def test_every_kind_takes_the_path_it_is_named_for():
    taken = {}
    for name, (arithmetic, kind) in KINDS.items():
        rng = np.random.default_rng(3)
        program = random_program(rng, arithmetic, 2, 11, 5, 2, 9, **kind)
        taken[name] = Native(1).load(program, 1).plan.paths[1]
    assert taken == {
        "loihi2": p.SINGLE,
        "loihi2 clamped": p.SINGLE_CLAMPED,
        "loihi2 per mode": p.SINGLE_MODES,
        "wide": p.SHORT,
        "wide per mode": p.WORD_MODES,
        "wide saturating": p.PLAIN_SUM,
        "residual": p.SINGLE,
    }
