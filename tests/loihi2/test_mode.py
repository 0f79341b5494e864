"""Steps of the two modes, counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loihi2_programs import shaped
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.populations import populations, steps_per_token
from ns4d.loihi2.simulate import simulate


def test_the_names_are_those_of_the_paper():
    assert [mode.value for mode in Mode] == ["fall-through", "pipelined"]


@pytest.mark.parametrize("layers", [0, 1, 4])
@pytest.mark.parametrize("tokens", [1, 2, 784])
def test_steps_follow_from_layers_and_tokens(layers, tokens):
    program = shaped(2, 1, layers)
    per_token = 1 + 3 * layers
    assert steps_per_token(program) == per_token
    assert Mode.FALL_THROUGH.period(program) == per_token
    assert Mode.PIPELINED.period(program) == 1
    assert Mode.FALL_THROUGH.steps(program, tokens) == tokens * per_token + 2
    assert Mode.PIPELINED.steps(program, tokens) == tokens + per_token + 1


@settings(max_examples=20)
@given(st.integers(0, 3), st.integers(0, 9))
def test_the_pipeline_is_never_slower(layers, tokens):
    program = shaped(2, 1, layers)
    fall_through, pipelined = (mode.steps(program, tokens) for mode in Mode)
    assert pipelined <= fall_through
    assert (pipelined == fall_through) == (tokens <= 1 or layers == 0)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tokens", [0, 1, 5])
def test_a_run_takes_the_steps_of_its_mode(mode, tokens):
    program = shaped(3, 2, 2)
    found = simulate(place(program), np.ones((tokens, 1), np.int64), mode)
    assert found.steps == mode.steps(program, tokens)
    assert found.activity.tokens == tokens
    if tokens:
        assert found.steps == (tokens - 1) * mode.period(program) + len(populations(program))
