"""The optimizer: what the state-space model cannot bear is kept from its parameters."""

from __future__ import annotations

import pytest
import torch

from ns4d.model import Mixer, Network, Norm
from ns4d.train import Optimizer
from ns4d.train.optimizer import build_optimizer, set_rates
from train.tiny import tiny_model

SETTINGS = Optimizer(rate=3e-3, ssm_rate=7e-4, decay=0.2)


def names_in(network: Network, parameters: list[torch.nn.Parameter]) -> set[str]:
    identities = {id(parameter) for parameter in parameters}
    return {name for name, p in network.named_parameters() if id(p) in identities}


@pytest.mark.parametrize(
    "model",
    [tiny_model(), tiny_model(norm=Norm.BATCH), tiny_model(mixer=Mixer.GLU, norm=Norm.LAYER)],
)
def test_a_b_and_the_step_are_a_group(model):
    network = Network(model)
    ssm, rest = build_optimizer(network, SETTINGS).param_groups
    special = ("log_decay", "frequency", "b", "log_step")
    assert names_in(network, ssm["params"]) == {
        f"layers.{layer}.ssm.{name}" for layer in range(2) for name in special
    }
    everything = {name for name, _ in network.named_parameters()}
    others = names_in(network, rest["params"])
    assert others == everything - names_in(network, ssm["params"])
    assert {"layers.0.ssm.c", "layers.1.ssm.d", "encoder.bias", "layers.1.linear.bias"} <= others
    assert len(ssm["params"]) + len(rest["params"]) == len(everything)
    assert (ssm["peak"], ssm["weight_decay"]) == (7e-4, 0.0)
    assert (rest["peak"], rest["weight_decay"]) == (3e-3, 0.2)


def test_rates_are_peaks_times_the_factor():
    optimizer = build_optimizer(Network(tiny_model()), SETTINGS)
    set_rates(optimizer, 0.5)
    set_rates(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [7e-4 / 4, 3e-3 / 4]


def test_a_first_step_is_as_long_as_the_rate():
    """Adam's first step is the rate in the direction of the gradient; decay comes on top."""
    network = Network(tiny_model())
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    build_optimizer(network, Optimizer(rate=1e-3, ssm_rate=1e-3, decay=0.5)).step()
    after = dict(network.named_parameters())
    kept = {"layers.0.ssm.frequency": 1.0, "layers.0.ssm.c": 1 - 1e-3 * 0.5}
    for name, factor in kept.items():
        torch.testing.assert_close(after[name].detach(), factor * before[name] - 1e-3)


def test_the_rates_of_a_graph_stay_where_they_are():
    """Tensors, changed in place: a graph knows only their addresses. They do the same on a CPU."""
    torch.manual_seed(0)
    one, other = Network(tiny_model()), Network(tiny_model())
    other.load_state_dict(one.state_dict())
    plain, graph = build_optimizer(one, SETTINGS), build_optimizer(other, SETTINGS, graph=True)
    rates = [group["lr"] for group in graph.param_groups]
    for factor in (0.5, 0.25):
        for network, optimizer in ((one, plain), (other, graph)):
            set_rates(optimizer, factor)
            for parameter in network.parameters():
                parameter.grad = torch.ones_like(parameter)
            optimizer.step()
    assert all(group["lr"] is rate for group, rate in zip(graph.param_groups, rates, strict=True))
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q)
