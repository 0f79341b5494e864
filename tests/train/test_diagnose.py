"""A loss that is not finite stops the training, and the error says where it began."""

from __future__ import annotations

import math
import re
import shutil

import pytest
import torch

from ns4d.errors import TrainingError
from ns4d.model import Network
from ns4d.train import Optimizer, train
from ns4d.train.checkpoint import LATEST, load_checkpoint
from ns4d.train.diagnose import non_finite_error
from train.altered import alter
from train.tiny import restless_recipe, tiny_dataset, tiny_model, tiny_recipe

NAN, INFINITY = math.nan, math.inf


def text_for(step: int, place: str) -> str:
    return (
        f"step {step}: expected a finite loss and gradient, got NaN or infinity, first in {place}. "
        "Lower optimizer.rate and optimizer.ssm_rate (half is a good start) or optimizer.clip, "
        "and train again; the last checkpoint is intact."
    )


def diagnosis(network: Network, tokens: torch.Tensor) -> str:
    return str(non_finite_error(network, 12, tokens))


def quiet() -> tuple[Network, torch.Tensor]:
    """A network after a backward pass in which all was well."""
    network, tokens = Network(tiny_model()), torch.randn(2, 16, 1)
    network(tokens).sum().backward()
    return network, tokens


@pytest.mark.parametrize("name", ["encoder.weight", "layers.1.ssm.log_decay", "decoder.bias"])
@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY])
def test_a_parameter(name, value):
    network, tokens = quiet()
    with torch.no_grad():
        dict(network.named_parameters())[name].view(-1)[1] = value
    assert diagnosis(network, tokens) == text_for(12, f"the parameter {name}")


@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_the_tokens(value):
    network, tokens = quiet()
    tokens[1, 3, 0] = value
    assert diagnosis(network, tokens) == text_for(12, "the input tokens")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("encoder.weight", "the input of layers.0"),
        ("layers.0.ssm.d", "the output of layers.0.ssm"),
        ("layers.0.linear.weight", "the output of layers.0"),
        ("layers.1.ssm.d", "the output of layers.1.ssm"),
        ("layers.1.linear.weight", "the output of layers.1"),
        ("decoder.weight", "the output of decoder"),
    ],
)
def test_the_layer_that_overflows(name, place):
    """A finite parameter can be too large for float32 all the same."""
    network, tokens = quiet()
    with torch.no_grad():
        parameter = dict(network.named_parameters())[name]
        parameter.copy_(3e38 * torch.sign(parameter))
    found = diagnosis(network, 1e3 * tokens.abs() + 1e3)
    assert found == text_for(12, place)


@pytest.mark.parametrize("name", ["encoder.bias", "layers.0.ssm.b", "layers.1.linear.weight"])
def test_the_gradient_where_it_began(name):
    """From there it has spread to everything nearer to the encoder, as it does in reality."""
    network, tokens = quiet()
    spread = [n for n, _ in network.named_parameters()]
    for spoilt in spread[: spread.index(name) + 1]:
        dict(network.named_parameters())[spoilt].grad.fill_(NAN)
    assert diagnosis(network, tokens) == text_for(12, f"the gradient of {name}")


def test_the_loss_alone():
    network, tokens = quiet()
    assert diagnosis(network, tokens) == text_for(12, "the loss")
    network.zero_grad()
    assert diagnosis(network, tokens) == text_for(12, "the loss")


def test_nothing_is_left_on_the_network():
    network, tokens = quiet()
    diagnosis(network, tokens)
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_a_huge_rate_stops_the_training(tmp_path):
    recipe = tiny_recipe(optimizer=Optimizer(rate=1e30, ssm_rate=1e-3))
    with pytest.raises(TrainingError) as caught:
        train(recipe, tiny_dataset(), tmp_path, show=False, checkpoint_seconds=0.0)
    found = re.match(r"step (\d+): .* first in the (in|out)put of layers\.\d", str(caught.value))
    assert found is not None, caught.value
    assert load_checkpoint(tmp_path / LATEST).progress.step == int(found[1])


def test_a_poisoned_checkpoint_is_recognized(finished, tmp_path):
    """The parameter is named, and the file is left for an autopsy."""
    name = "layers.1.linear.weight"
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)

    def poison(header, tensors):
        header["progress"]["step"] = 11
        tensors[f"model.{name}"][2, 3] = NAN

    alter(finished / LATEST, tmp_path / LATEST, poison)
    before = (tmp_path / LATEST).read_bytes()
    with pytest.raises(TrainingError) as caught:
        train(restless_recipe(), tiny_dataset(), tmp_path, show=False)
    assert str(caught.value) == text_for(11, f"the parameter {name}")
    assert (tmp_path / LATEST).read_bytes() == before


@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_bad_data_stop_the_training(tmp_path, value):
    """At the step at which they come; the checkpoint is the one of the step before."""
    calls = []

    def spoil(tokens, generator):
        calls.append(1)
        tokens = tokens.float()
        if len(calls) == 8:
            tokens[0, 0] = value
        return tokens

    with pytest.raises(TrainingError) as caught:
        train(
            tiny_recipe(),
            tiny_dataset(),
            tmp_path,
            hooks=[spoil],
            show=False,
            checkpoint_seconds=0.0,
        )
    assert str(caught.value) == text_for(7, "the input tokens")
    saved = load_checkpoint(tmp_path / LATEST)
    assert saved.progress.step == 7
    assert all(torch.isfinite(tensor).all() for tensor in saved.network.values())


def test_a_gradient_that_is_not_finite_stops_the_training(tmp_path, monkeypatch):
    """Though the loss is finite. The parameter where it began is named, not those it reached."""
    monkeypatch.setattr("ns4d.train.loop.Network", NetworkWithBadGradient)
    with pytest.raises(TrainingError) as caught:
        train(tiny_recipe(), tiny_dataset(), tmp_path, show=False)
    assert str(caught.value) == text_for(0, "the gradient of layers.1.ssm.d")


class NetworkWithBadGradient(Network):
    """One gradient becomes NaN on its way."""

    def __init__(self, config) -> None:
        super().__init__(config)
        self.layers[1].ssm.d.register_hook(lambda gradient: gradient * NAN)
