"""At small widths: every state, every input, every rounding of the C, against exact fractions.

The oracle is that of tests/engines/test_exhaustive.py, which knows nothing of shifts.
"""

from __future__ import annotations

import numpy as np
import pytest

from engines.test_exhaustive import (
    EACH_ROUNDING,
    NEURONS,
    test_a_dense_node,
    test_a_descale,
    test_a_neuron_step,
)
from export.c99_host import require_compiler
from ns4d.engines import Reference
from ns4d.export.c99 import C99
from ns4d.numerics import ProductRounding, SynapseRounding

# The functions above are its tests; here they are called with the C.
neuron_step, dense_node, descale = test_a_neuron_step, test_a_dense_node, test_a_descale
for name in ("test_a_neuron_step", "test_a_dense_node", "test_a_descale"):
    del globals()[name]


@pytest.fixture(scope="module")
def engine() -> C99:
    require_compiler("gcc")
    return C99("gcc")


@pytest.fixture(scope="module")
def split() -> C99:
    require_compiler("gcc")
    return C99("gcc", ("-O1", "-DNS4D_SPLIT"))


@EACH_ROUNDING
@pytest.mark.parametrize("neuron", NEURONS, ids=range(len(NEURONS)))
def test_every_state_with_every_message(engine, product, synapse, neuron):
    neuron_step(engine, product, synapse, 3, neuron)


@EACH_ROUNDING
def test_without_a_long_multiply(split, product, synapse):
    neuron_step(split, product, synapse, 3, NEURONS[0])


@pytest.mark.parametrize("product", ProductRounding)
def test_four_bits(engine, product):
    neuron_step(engine, product, SynapseRounding.FLOOR, 4, NEURONS[1])


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("synapse", SynapseRounding)
def test_every_multiplier_limit_and_accumulator(engine, synapse, relu):
    descale(engine, ProductRounding.SUM_HALF_UP, synapse, relu, 3)


@pytest.mark.parametrize("synapse", SynapseRounding)
def test_every_pair_of_weights_with_every_pair_of_messages(engine, synapse):
    dense_node(engine, ProductRounding.EACH_TOWARD_ZERO, synapse, 3)


class OffByOne:
    """The reference, but the read-out of a state that is 1 says 2."""

    name, batch = "off by one", 1

    def load(self, program, streams):
        machine = Reference().load(program, streams)
        return WrongMachine(machine)


class WrongMachine:
    def __init__(self, machine):
        self._machine = machine

    @property
    def state(self):
        state = self._machine.state
        wrong = np.where(state.r == 1, 2, state.r)
        return type(state)(state.x_re, state.x_im, wrong, state.tokens_seen)

    @state.setter
    def state(self, state):
        self._machine.state = state

    def advance(self, u):
        return self._machine.advance(u)


def test_one_wrong_integer_is_found():
    with pytest.raises(AssertionError):
        neuron_step(
            OffByOne(), ProductRounding.EACH_TOWARD_ZERO, SynapseRounding.FLOOR, 3, NEURONS[0]
        )
