"""Up to ten million tokens through a stream: steady memory, the reference's bits at every look."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

from ns4d.engines import Reference
from ns4d.engines.native import Native
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import random_program

CHUNK, LOOK = 200_000, 20


@pytest.mark.parametrize(
    ("arithmetic", "chunks"), [(LOIHI2, 50), (WIDE, 15)], ids=["loihi2", "wide"]
)
def test_millions_of_tokens(arithmetic, chunks):
    rng = np.random.default_rng(0)
    program = random_program(rng, arithmetic, channels=4, modes=2, layers=1, uniform=True)
    machine, reference = Native(1).load(program, 1), Reference().load(program, 1)
    top = arithmetic.message_max
    u = rng.integers(-top, top + 1, (1, CHUNK + LOOK, 1))
    held = []
    for k in range(chunks):
        u = np.roll(u, 1 + k, axis=1)
        machine.advance(u[:, :CHUNK])
        # Here the reference takes over from the state, and both go on.
        reference.state = machine.state
        wanted = reference.advance(u[:, CHUNK:])
        np.testing.assert_array_equal(machine.advance(u[:, CHUNK:]), wanted)
        assert machine.state == reference.state
        if k == 1:
            tracemalloc.start()
        if k >= 1:
            gc.collect()  # ctypes views of arrays are freed by the collector, whenever it comes
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert machine.state.tokens_seen == chunks * (CHUNK + LOOK)
    # The first look starts the count; what later ones add must not grow.
    assert max(held[10:]) - held[5] < 100_000


def test_the_look_from_zero_state_agrees_too():
    # The test above trusts the state it starts from; this one has nothing to trust.
    program = random_program(np.random.default_rng(1), channels=4, modes=2, layers=1, uniform=True)
    u = np.random.default_rng(2).integers(-2047, 2048, (1, 1_500, 1))
    native, reference = Native(1).load(program, 1), Reference().load(program, 1)
    np.testing.assert_array_equal(native.advance(u), reference.advance(u))
