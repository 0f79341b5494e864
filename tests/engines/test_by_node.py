"""Messages of all nodes side by side, taken apart."""

from __future__ import annotations

import numpy as np
import pytest

from ns4d.engines import Reference
from ns4d.engines.trace import by_node
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import random_program


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_it_is_the_inverse_of_putting_a_trace_side_by_side(arithmetic, layers):
    random = np.random.default_rng(layers)
    program = random_program(random, arithmetic, 2, 5, 3, layers, 4)
    top = arithmetic.message_max
    sent = Reference().trace(program, random.integers(-top, top + 1, (3, 6, 2)))
    beside = [np.zeros((3, 6, 0), np.int64), *(sent[node.name] for node in program.nodes)]
    parts = by_node(program, np.concatenate(beside, axis=2))
    assert list(parts) == [node.name for node in program.nodes]
    for name, m in parts.items():
        np.testing.assert_array_equal(m, sent[name])


def test_the_parts_are_the_callers():
    program = random_program(np.random.default_rng(0), LOIHI2, 1, 3, 2, 1, 2)
    messages = np.zeros((1, 2, sum(program.channels)), np.int64)
    for part in by_node(program, messages).values():
        part += 1
    assert not messages.any()
