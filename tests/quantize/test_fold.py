"""Batch normalization folded into the linear map: the same function."""

from __future__ import annotations

import copy

import torch
from hypothesis import given

from ns4d.model import ModelConfig, Norm
from ns4d.quantize.fold import fold_batch_norm
from quantize_networks import Plan, make_network, plans


@given(plans)
def test_a_folded_network_computes_the_same_logits(plan: Plan) -> None:
    network = plan.build().double()
    tokens = torch.randn(3, 17, network.config.inputs, dtype=torch.float64)
    folded = fold_batch_norm(network)
    assert folded.config.norm is Norm.NONE
    torch.testing.assert_close(folded(tokens), network(tokens), atol=1e-9, rtol=1e-9)


def test_folding_leaves_the_given_network_alone() -> None:
    network = make_network(ModelConfig(1, 2, 4, 2, 2, norm=Norm.BATCH), seed=0)
    before = copy.deepcopy(network.state_dict())
    fold_batch_norm(network)
    assert network.config.norm is Norm.BATCH
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_folding_changes_the_weights() -> None:
    network = make_network(ModelConfig(1, 2, 4, 2, 1, norm=Norm.BATCH), seed=0)
    folded = fold_batch_norm(network)
    assert not torch.equal(folded.layers[0].linear.weight, network.layers[0].linear.weight)
    assert folded.layers[0].batch_norm is None
