"""A wrong axis order, kind or count is rejected by the shape checks of the test run."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import TypeCheckError

from ns4d.ssm import DiscreteSSM, advance, convolve, respond, scan
from ssm_strategies import METHODS, normal, random_continuous, random_discrete

SSM = random_discrete(3, 2, seed=0)
STATE = torch.zeros(4, 3, 2, dtype=torch.complex128)
INPUT = normal(4, 3, 5, seed=0)


def rejects(function, *arguments) -> None:
    with pytest.raises(TypeCheckError, match=function.__name__):
        function(*arguments)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("position", range(3))
def test_discretization_rejects_a_transposed_parameter(method, position):
    model = list(random_continuous(3, 2, seed=0))
    method(*model)
    model[position] = model[position].mT
    rejects(method, *model)


@pytest.mark.parametrize("method", METHODS)
def test_discretization_rejects_a_step_per_mode(method):
    a, b, c, _ = random_continuous(3, 2, seed=0)
    rejects(method, a, b, c, torch.ones(2, dtype=torch.float64))
    rejects(method, a, b, c, torch.ones(3, 1, dtype=torch.float64))


@pytest.mark.parametrize("method", METHODS)
def test_discretization_rejects_a_real_spectrum(method):
    a, b, c, step = random_continuous(3, 2, seed=0)
    rejects(method, a.real, b, c, step)


@pytest.mark.parametrize("position", range(3))
def test_a_recurrence_rejects_parameters_of_different_shapes(position):
    parts = [SSM.a_bar, SSM.b_bar, SSM.c]
    parts[position] = parts[position].mT
    rejects(DiscreteSSM, *parts)


def test_convolution_rejects_time_before_channels():
    k = normal(3, 5, seed=1)
    convolve(INPUT, k)
    rejects(convolve, INPUT.mT, k)
    rejects(convolve, INPUT, k.mT)
    rejects(convolve, INPUT[0], k)
    rejects(convolve, INPUT, k[:, :4])


def test_scan_rejects_time_before_channels():
    scan(SSM, STATE, INPUT)
    rejects(scan, SSM, STATE, INPUT.mT)
    rejects(scan, SSM, STATE.mT, INPUT)


def test_scan_rejects_another_batch_size():
    """Broadcasting would otherwise give every sequence the state of one."""
    rejects(scan, SSM, STATE[:1], INPUT)


def test_advance_rejects_a_sequence():
    advance(SSM, STATE, INPUT[..., 0])
    rejects(advance, SSM, STATE, INPUT)
    rejects(advance, SSM, STATE, INPUT[..., 0].mT)


def test_the_response_to_a_state_rejects_a_real_state():
    respond(SSM, STATE, 5)
    rejects(respond, SSM, STATE.real, 5)
