"""Residual connections: exact ratios, legal programs, near the float network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns4d.model import Mixer, ModelConfig
from ns4d.numerics import LOIHI2, WIDE, Arithmetic
from ns4d.program import Add
from ns4d.quantize import DenseScale, Messages, build_program, calibrate, fold_batch_norm
from ns4d.quantize.fidelity import fidelity
from ns4d.quantize.residual import align
from quantize_networks import ARITHMETICS, make_dataset, make_network

CONFIG = ModelConfig(inputs=2, classes=3, channels=6, modes=4, layers=2, residual=True)


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: a.name)
@pytest.mark.parametrize("mixer", [Mixer.RELU, Mixer.LINEAR])
def test_every_layer_ends_in_an_add_of_exact_weights(arithmetic: Arithmetic, mixer: Mixer) -> None:
    config = replace(CONFIG, mixer=mixer)
    network, dataset = fold_batch_norm(make_network(config, seed=1)), make_dataset(config)
    scales = calibrate(network, dataset, arithmetic)
    program = build_program(network, scales, arithmetic, dataset, {})
    adds = [node for node in program.nodes if isinstance(node, Add)]
    assert [(node.name, node.source) for node in adds] == [
        ("layer0.add", "encoder"),
        ("layer1.add", "layer0.add"),
    ]
    before = scales.encoder.sent
    for node, layer in zip(adds, scales.layers, strict=True):
        exponent = np.log2(layer.linear.sent.scale / before.scale)
        assert exponent == round(exponent)
        for weight in (node.weight, node.skip):
            assert (np.bitwise_count(weight) <= 1).all()
        assert not node.descale.relu
        before = layer.sent


@pytest.mark.parametrize("arithmetic", [LOIHI2, WIDE], ids=lambda a: a.name)
def test_a_residual_network_is_followed_node_by_node(arithmetic: Arithmetic) -> None:
    network, dataset = fold_batch_norm(make_network(CONFIG, seed=3)), make_dataset(CONFIG)
    scales = calibrate(network, dataset, arithmetic)
    program = build_program(network, scales, arithmetic, dataset, {})
    found = fidelity(network, scales, program, dataset.train)
    assert [node.name for node in found[1:-1]] == [node.name for node in program.nodes]
    assert min(node.snr_db for node in found) > 20
    assert sum(node.name.endswith(".add") for node in found) == 2


@settings(max_examples=30)
@given(st.floats(-12, 12), st.sampled_from(ARITHMETICS))
def test_aligning_never_makes_a_scale_finer(octaves: float, arithmetic: Arithmetic) -> None:
    limit = np.array([arithmetic.message_max, 3, 0])
    scale = DenseScale(np.ones(3), Messages(2.0**octaves, limit))
    before = Messages(0.7, limit)
    aligned = align(scale, before, arithmetic).sent
    assert aligned.scale >= scale.sent.scale
    assert (aligned.limit * aligned.scale >= scale.sent.limit * scale.sent.scale * 0.999).all()
