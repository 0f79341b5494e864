"""The torch form of the integer recurrence: the bits of the reference engine, on any device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.engines import Reference
from ns4d.numerics import LOIHI2, ProductRounding, SynapseRounding
from ns4d.program import Program
from ns4d.quantize import recurrence
from ns4d.quantize.recurrence import trace_tensors
from program_strategies import ARITHMETICS, NARROW, TINY_STATE, random_program

LENGTH = 12


def messages(program: Program, rng: np.random.Generator, count: int = 3) -> np.ndarray:
    """Random, zero and largest messages of either sign."""
    top = program.arithmetic.message_max
    u = rng.integers(-top, top + 1, (count, LENGTH, program.inputs))
    u[0, ::3], u[-1, 1::3] = 0, top
    return u


def differences(program: Program, u: np.ndarray) -> list[str]:
    """The nodes whose messages are not those of the reference engine."""
    expected = Reference().trace(program, u)
    found = trace_tensors(program, torch.from_numpy(u))
    assert found.keys() == expected.keys()
    return [k for k, m in expected.items() if not np.array_equal(found[k].numpy(), m)]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    arithmetic=st.sampled_from(ARITHMETICS),
    product=st.sampled_from(ProductRounding),
    synapse=st.sampled_from(SynapseRounding),
    saturating=st.booleans(),
    residual=st.booleans(),
)
def test_it_equals_the_reference(seed, arithmetic, product, synapse, saturating, residual):
    arithmetic = replace(arithmetic, product_rounding=product, synapse_rounding=synapse)
    rng = np.random.default_rng(seed)
    program = random_program(
        rng, arithmetic, inputs=2, layers=2, saturating=saturating, residual=residual
    )
    assert differences(program, messages(program, rng)) == []


@pytest.mark.parametrize("arithmetic", [LOIHI2, NARROW, TINY_STATE], ids=lambda a: a.name)
@pytest.mark.parametrize("name", ["_toward_zero", "_half_up"])
def test_a_planted_off_by_one_is_seen(arithmetic, name, monkeypatch):
    """The comparison above can fail: one unit more per shift, in either rounding.

    Not in `wide`, where one unit of an accumulator is far below a message's step.
    """
    exact = getattr(recurrence, name)
    monkeypatch.setattr(recurrence, name, lambda p, s: exact(p, s) + 1)
    seen = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        program = random_program(rng, arithmetic, layers=2, saturating=True)
        seen += differences(program, messages(program, rng))
    used = {"_toward_zero": ProductRounding.EACH_TOWARD_ZERO}.get(name, ProductRounding.SUM_HALF_UP)
    assert bool(seen) == (arithmetic.product_rounding is used)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: a.name)
def test_it_gives_the_same_bits_on_cuda(arithmetic):
    rng = np.random.default_rng(5)
    program = random_program(rng, arithmetic, inputs=2, layers=2, saturating=True, residual=True)
    u = torch.from_numpy(messages(program, rng))
    there = trace_tensors(program, u.cuda())
    for name, here in trace_tensors(program, u).items():
        assert torch.equal(there[name].cpu(), here), name
