"""A trained network as a chain: the same function, without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from float_walk import walk
from model_variants import VARIANTS, build, random_tokens
from ns4d.errors import ArtefactError
from ns4d.export.chain import Activation, LayerNorm, Sum
from ns4d.train import load_network
from ns4d.trained import chain_of_network, load_chain

DIGITS = Path(__file__).resolve().parents[1] / "benchmarks/results/digits"
# NumPy walks ReLU networks; the others run as ONNX in tests/export/test_onnx_floats.py.
WALKED = [name for name in VARIANTS if name not in ("gelu", "glu", "s4d", "layer norm")]


@pytest.mark.parametrize("name", WALKED)
def test_the_chain_is_the_network(name: str) -> None:
    network = build(VARIANTS[name])
    tokens = random_tokens(network.config, 1, 25)
    with torch.no_grad():
        logits = network(tokens)[0].numpy()
    scores = walk(chain_of_network(network, name), tokens[0].numpy())
    np.testing.assert_allclose(scores[-1] / 25, logits, rtol=0, atol=1e-10)
    assert np.ptp(logits) > 0.1


def test_every_part_has_its_link() -> None:
    links = chain_of_network(build(VARIANTS["s4d"]), "x").links
    first = [link for link in links if link.name.startswith("layer0")]
    assert [link.name for link in first] == [
        f"layer0.{part}" for part in ("s4d", "linear", "add", "norm")
    ]
    assert isinstance(first[2], Sum)
    assert first[2].source == "encoder"
    assert isinstance(first[3], LayerNorm)
    activations = [getattr(link, "activation", None) for link in first]
    assert activations[:3] == [Activation.GELU, Activation.GLU, Activation.NONE]


def test_the_source_of_a_later_sum_is_the_layer_before() -> None:
    links = chain_of_network(build(VARIANTS["s4d"]), "x").links
    (later,) = (link for link in links if link.name == "layer1.add")
    assert isinstance(later, Sum)
    assert later.source == "layer0.norm"


def test_the_network_stays_as_it_was() -> None:
    network = build(VARIANTS["batch norm"])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    chain_of_network(network, "x").readout.weight[:] = 0
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_run_gives_its_selected_network() -> None:
    chain = load_chain(DIGITS)
    network, recipe = load_network(DIGITS)
    assert chain.task == recipe.task == "digits"
    assert chain.classes == tuple("0123456789")
    np.testing.assert_allclose(chain.readout.weight, network.decoder.weight.detach().numpy())


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="checkpoint"):
        load_chain(tmp_path)
