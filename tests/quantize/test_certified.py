"""Certified or calibrated: what is proved, what is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ns4d.engines import Reference
from ns4d.errors import ConfigError, RangeError
from ns4d.model import ModelConfig
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import Program
from ns4d.quantize import Options, post_training_quantize
from ns4d.quantize.saturation import count_saturation
from quantize_networks import Plan, arithmetics, make_dataset, make_network, plans

CONFIG = ModelConfig(inputs=2, classes=3, channels=6, modes=4, layers=2)


def unproved(program: Program) -> int:
    return sum(proved.may_saturate for proved in program.ranges)


@settings(max_examples=6)
@given(plans, arithmetics)
def test_no_state_of_a_certified_program_may_saturate(plan: Plan, arithmetic: Arithmetic) -> None:
    network = plan.build()
    dataset = make_dataset(network.config, count=6, length=12)
    for fold_b in (False, True):
        options = Options(certified=True, fold_b=fold_b)
        assert unproved(post_training_quantize(network, dataset, arithmetic, options)) == 0


def test_the_certificate_is_given_where_it_is_free() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    assert unproved(post_training_quantize(network, dataset, WIDE)) == 0
    assert unproved(post_training_quantize(network, dataset, LOIHI2)) > 0
    assert unproved(post_training_quantize(network, dataset, WIDE, Options(certified=False))) > 0
    assert Options().certifies(WIDE)
    assert not Options().certifies(replace(LOIHI2, message_bits=4))


def test_a_mode_that_hardly_decays_cannot_be_certified() -> None:
    network, dataset = make_network(CONFIG, seed=1), make_dataset(CONFIG)
    with torch.no_grad():
        network.stack[0].ssm.log_decay[2] = -60
        network.stack[0].ssm.frequency[2] = 0
    narrow = replace(LOIHI2, name="narrow-state", state_bits=16)
    with pytest.raises(RangeError, match=r"channel 2: expected states proved within 16 bits"):
        post_training_quantize(network, dataset, narrow, Options(certified=True))


def test_calibration_data_saturate_nothing_and_tighter_states_do() -> None:
    network, dataset = make_network(CONFIG, seed=2), make_dataset(CONFIG)
    count = len(dataset.train)
    calm = post_training_quantize(network, dataset, LOIHI2, sequences=count)
    assert sum(c.states_clipped for c in count_saturation(calm, dataset.train)) == 0
    # The network is calibrated on tokens so quiet that those of the split overflow its states.
    quiet = replace(dataset.train, tokens=dataset.train.tokens // 16 + 120)
    other = replace(dataset, train=quiet)
    clipped = {}
    for bits in (1, 0):
        options = Options(headroom_bits=bits)
        made = post_training_quantize(network, other, LOIHI2, options, sequences=count)
        clipped[bits] = sum(c.states_clipped for c in count_saturation(made, dataset.train))
    assert clipped[1] == 0 < clipped[0]


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
def test_counts_are_those_of_the_reference_stepped_by_hand(arithmetic: Arithmetic) -> None:
    network, dataset = make_network(CONFIG, seed=2), make_dataset(CONFIG, count=5, length=16)
    narrow = replace(arithmetic, name="narrow", state_bits=10)
    options = Options(certified=False, headroom_bits=0)
    made = post_training_quantize(network, dataset, narrow, options)
    # Twice the drive: what was calibrated to just fit does not any more.
    loud = [n if n not in made.recurrent else replace(n, b_re=2 * n.b_re) for n in made.nodes]
    program = replace(made, nodes=tuple(loud))
    found = count_saturation(program, dataset.train, Reference())
    at_width, total = 0, 0
    for tokens, length in zip(dataset.train.tokens, dataset.train.lengths, strict=True):
        stream = program.stream(Reference())
        for token in tokens[:length].astype(float):
            stream.step(token)
            for part in (*stream.state.x_re.values(), *stream.state.x_im.values()):
                at_width += int((np.abs(part) == narrow.state_max).sum())
                total += part.size
    clipped = sum(count.states_clipped for count in found)
    assert sum(count.states for count in found) == total
    # A state may reach its width without being clipped, hence at most.
    assert 0 < clipped <= at_width
    assert clipped > 0.5 * at_width


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"quantization headroom: expected at least 1"):
        Options(headroom=0.5)
    with pytest.raises(ConfigError, match=r"quantization headroom_bits: expected at least 0"):
        Options(headroom_bits=-1)
