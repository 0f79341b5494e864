"""A trained network as plain arrays: the chain of maps that the float exporters take.

The exporters are in the integer half, which knows no PyTorch; this file stands between the halves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ns4d.export.chain import Activation, Chain, LayerNorm, Linear, Link, Recurrence, Sum
from ns4d.model import Mixer, Network, Nonlinearity, S4DLayer
from ns4d.quantize.fold import fold_batch_norm
from ns4d.train import load_network

NONLINEARITY = {Nonlinearity.RELU: Activation.RELU, Nonlinearity.GELU: Activation.GELU}
MIXER = {
    Mixer.RELU: Activation.RELU,
    Mixer.GLU: Activation.GLU,
    Mixer.LINEAR: Activation.NONE,
}


def load_chain(run: Path) -> Chain:
    """The selected network of a training run; tokens enter it normalized.

    Args:
        run: Folder of a run.

    Returns:
        Its chain, with classes by number.

    Raises:
        ArtefactError: If there is no readable checkpoint.
    """
    network, recipe = load_network(run)
    return chain_of_network(network, recipe.task)


@torch.no_grad()
def chain_of_network(network: Network, task: str) -> Chain:
    """A network in evaluation mode, discretized in float64, batch normalization folded.

    Args:
        network: Any network; it is left as it is.
        task: What it was trained for.

    Returns:
        The chain; its classes are numbered, because a network does not know their names.
    """
    exact = fold_batch_norm(network).double()
    links: list[Link] = [_linear("encoder", exact.encoder, Activation.NONE)]
    for k, layer in enumerate(exact.stack):
        links += _layer(f"layer{k}", layer, links[-1].name)
    zero = np.zeros(network.config.inputs)
    readout = _linear("readout", exact.decoder, Activation.NONE)
    classes = tuple(str(k) for k in range(network.config.classes))
    return Chain(zero, zero + 1, tuple(links), readout, task, classes)


def _layer(name: str, layer: S4DLayer, before: str) -> list[Link]:
    config, ssm = layer.config, layer.ssm.discrete()
    coefficients = (_array(ssm.a_bar), _array(ssm.b_bar), 2 * _array(ssm.c), _array(layer.ssm.d))
    links: list[Link] = [
        Recurrence(f"{name}.s4d", *coefficients, NONLINEARITY[config.nonlinearity]),
        _linear(f"{name}.linear", layer.linear, MIXER[config.mixer]),
    ]
    if config.residual:
        one = np.ones(config.channels)
        links.append(Sum(f"{name}.add", before, one, one))
    if (norm := layer.layer_norm) is not None:
        weight, bias = _array(norm.weight), _array(norm.bias)
        links.append(LayerNorm(f"{name}.norm", weight, bias, norm.eps))
    return links


def _linear(name: str, linear: nn.Linear, activation: Activation) -> Linear:
    return Linear(name, _array(linear.weight), _array(linear.bias), activation)


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy().copy()
