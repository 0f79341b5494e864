"""Two pure steps: scales once, integers for whatever the parameters have become."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.errors import RangeError, ShapeError
from ns4d.model import ModelConfig, Network
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import S4D, Dense
from ns4d.quantize import (
    Messages,
    Options,
    build_program,
    calibrate,
    fold_batch_norm,
    lower,
    post_training_quantize,
)
from quantize_networks import Plan, arithmetics, make_dataset, make_network, plans

CONFIG = ModelConfig(inputs=2, classes=3, channels=8, modes=4, layers=2)
options = st.builds(Options, fold_b=st.booleans())


@torch.no_grad()
def moved(network: Network, seed: int, far: float) -> Network:
    """The network after its parameters have wandered off, as in training."""
    torch.manual_seed(seed)
    for parameter in network.parameters():
        parameter.mul_(1 + far * torch.randn_like(parameter))
        parameter.add_(far * torch.randn_like(parameter))
    return network


@settings(max_examples=30)
@given(plans, arithmetics, options, st.sampled_from([0.01, 0.3, 3.0]), st.integers(0, 99))
def test_old_scales_make_a_legal_program_of_any_parameters(
    plan: Plan, arithmetic: Arithmetic, options: Options, far: float, seed: int
) -> None:
    network = fold_batch_norm(plan.build())
    dataset = make_dataset(network.config, count=6, length=12)
    scales = calibrate(network, dataset, arithmetic, options, sequences=4)
    # Building it proves every width and every accumulator, or raises.
    program = build_program(moved(network, seed, far), scales, arithmetic, dataset, {})
    for node in program.recurrent:
        assert (node.a_re**2 + node.a_im**2 < 4**node.a_shift).all()


@settings(max_examples=10)
@given(plans, arithmetics, options)
def test_a_program_holds_exactly_the_integers_of_lower(
    plan: Plan, arithmetic: Arithmetic, options: Options
) -> None:
    network = fold_batch_norm(plan.build())
    dataset = make_dataset(network.config, count=6, length=12)
    scales = calibrate(network, dataset, arithmetic, options, sequences=4)
    nodes, readout = lower(network, scales, arithmetic)
    program = post_training_quantize(network, dataset, arithmetic, options, sequences=4)
    assert replace(program, nodes=nodes, readout=readout).digest == program.digest


def test_lowering_changes_neither_network_nor_scales() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    scales = calibrate(network, dataset)
    first = build_program(network, scales, LOIHI2, dataset, {})
    build_program(moved(fold_batch_norm(network), 2, 0.5), scales, LOIHI2, dataset, {})
    assert build_program(network, scales, LOIHI2, dataset, {}) == first


def test_parameters_that_outgrow_an_accumulator_are_shrunk_in_their_row_alone() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    arithmetic = replace(LOIHI2, name="tight", accumulator_bits=16)
    scales = calibrate(network, dataset, arithmetic)
    before = build_program(network, scales, arithmetic, dataset, {})
    grown = fold_batch_norm(network)
    with torch.no_grad():
        grown.stack[0].linear.weight[3] *= 10
        grown.stack[0].ssm.c[5] *= 10
    after = build_program(grown, scales, arithmetic, dataset, {})
    for name, row, field in (("layer0.linear", 3, "weight"), ("layer0.s4d", 5, "c_re")):
        old, new = (
            getattr(next(n for n in p.nodes if n.name == name), field) for p in (before, after)
        )
        rest = np.arange(len(old)) != row
        assert (old[rest] == new[rest]).all()
        # As large as the proof allows, and still in the direction that was asked for.
        assert np.corrcoef(old[row], new[row])[0, 1] > 0.9
        proved = next(r for r in after.ranges if r.name == name).accumulator[row]
        assert 0.8 * arithmetic.accumulator_max < proved <= arithmetic.accumulator_max


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
def test_nothing_is_shrunk_with_the_parameters_of_the_choice(
    arithmetic: Arithmetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, dataset = make_network(CONFIG, seed=4), make_dataset(CONFIG)
    program = post_training_quantize(network, dataset, arithmetic)
    monkeypatch.setattr("ns4d.quantize.dense.fit_dense", lambda w, b, *_: (w, b))
    monkeypatch.setattr("ns4d.quantize.neuron.fit_output", lambda neuron, *_: neuron)
    assert post_training_quantize(network, dataset, arithmetic) == program


@settings(max_examples=10)
@given(plans, arithmetics)
def test_a_folded_b_is_a_power_of_two_per_channel(plan: Plan, arithmetic: Arithmetic) -> None:
    network = plan.build()
    dataset = make_dataset(network.config, count=6, length=12)
    program = post_training_quantize(network, dataset, arithmetic, Options(fold_b=True))
    for node in program.recurrent:
        assert not node.b_im.any()
        assert (node.b_re == node.b_re[:, :1]).all()
        assert (np.bitwise_count(node.b_re) == 1).all()
        # In lowest terms: only one of factor and shift.
        assert ((node.b_re == 1) | (node.b_shift[:, None] == 0)).all()


def test_folding_changes_neuron_coefficients_alone() -> None:
    network, dataset = make_network(CONFIG, seed=4), make_dataset(CONFIG)
    kept = post_training_quantize(network, dataset, WIDE, Options(fold_b=False))
    folded = post_training_quantize(network, dataset, WIDE, Options(fold_b=True))
    for one, other in zip(kept.nodes, folded.nodes, strict=True):
        if isinstance(one, S4D) and isinstance(other, S4D):
            assert (one.a_re == other.a_re).all()
            # c/b of one is c of the other: the same response to an impulse.
            response = [
                (n.b_re + 1j * n.b_im)
                * (n.c_re + 1j * n.c_im)
                * 2.0 ** -(n.b_shift + n.c_shift)[:, None]
                * n.descale.multiplier[:, None]
                * 2.0**-n.descale.shift
                for n in (one, other)
            ]
            error = np.abs(response[0] - response[1]).max(1)
            assert (error <= 2e-3 * np.abs(response[0]).max(1)).all()
        elif isinstance(one, Dense) and isinstance(other, Dense):
            assert np.abs(one.weight - other.weight).max() <= 1


def test_a_mode_that_does_not_decay_in_float32_is_kept_stable() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    with torch.no_grad():
        network.stack[0].ssm.log_decay[2] = -60
        network.stack[0].ssm.frequency[2] = 0
    assert network.stack[0].ssm.discrete().a_bar[2, 0] == 1
    node = post_training_quantize(network, dataset).recurrent[0]
    assert (node.a_re[2] == 2**node.a_shift - 1).all()


def test_scales_check_themselves() -> None:
    with pytest.raises(RangeError, match=r"message scale: expected positive finite numbers"):
        Messages(float("nan"), np.array([1]))
    with pytest.raises(RangeError, match=r"message limit: expected limits of at least 0, got -1"):
        Messages(1.0, np.array([3, -1]))
    scales = calibrate(make_network(CONFIG, seed=1), make_dataset(CONFIG))
    with pytest.raises(ShapeError, match=r"neuron scale: expected one number for each of 8"):
        replace(scales.layers[0].neuron, c_shift=np.array([1]))
    with pytest.raises(RangeError, match=r"weight scale: expected positive"):
        replace(scales.encoder, weight=np.zeros(8))
    with pytest.raises(RangeError, match=r"readout scale: expected positive"):
        replace(scales, readout=0.0)
