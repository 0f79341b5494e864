"""Lower a float network to the integers of a program, in two pure steps.

    scales = choose_scales(network, ranges, arithmetic, options)      once
    nodes, readout = lower(network, scales, arithmetic)               as often as parameters change

The first proves that every accumulator holds the network it is given. The second may be given a
network whose parameters have moved since: it clips each integer to its width, keeps every
recurrence inside the unit disc, and shrinks what an accumulator could not hold. Its result is
therefore always a legal program. To leave room for growth, choose the scales for an arithmetic
with one accumulator bit fewer.
"""

from __future__ import annotations

import numpy as np

from ns4d.errors import ConfigError
from ns4d.model import Mixer, ModelConfig, Network, Nonlinearity, Norm
from ns4d.numerics import Arithmetic
from ns4d.program import Node, Readout
from ns4d.quantize.dense import choose_dense, choose_readout, lower_dense, lower_readout
from ns4d.quantize.integers import message_scale
from ns4d.quantize.neuron import choose_neuron, lower_neuron
from ns4d.quantize.observe import NetworkRange
from ns4d.quantize.options import Options
from ns4d.quantize.residual import align, choose_add, lower_add
from ns4d.quantize.scales import LayerScale, Messages, Scales


def require_lowerable(config: ModelConfig) -> None:
    """Refuse what has no integer form yet.

    Raises:
        ConfigError: Naming the setting.
    """
    allowed: dict[str, tuple[object, ...]] = {
        "nonlinearity": (Nonlinearity.RELU,),
        "mixer": (Mixer.RELU, Mixer.LINEAR),
        "norm": (Norm.NONE, Norm.BATCH),
    }
    for name, values in allowed.items():
        value = getattr(config, name)
        if value not in values:
            raise ConfigError(
                f"model.{name}",
                expected=" or ".join(str(getattr(v, "value", v)) for v in values),
                got=str(getattr(value, "value", value)),
                fix="Train a network that an integer program can express.",
            )


def choose_scales(
    network: Network, ranges: NetworkRange, arithmetic: Arithmetic, options: Options
) -> Scales:
    """Choose all scales of a program.

    Args:
        network: In evaluation mode, batch normalization folded.
        ranges: What `observe` saw of it, with the same `options.fold_b`.
        arithmetic: Widths and roundings.
        options: See `Options`.

    Returns:
        Scales with which `lower` gives this network a program without shrinking anything.

    Raises:
        ConfigError: If the network has parts that no integer node expresses.
    """
    require_lowerable(network.config)
    limit = np.full(len(ranges.token), arithmetic.message_max, dtype=np.int64)
    token = Messages(message_scale(ranges.token, arithmetic.message_max), limit)
    encoder = choose_dense(network.encoder, token, ranges.encoder, arithmetic, options)
    sent, layers = encoder.sent, []
    for layer, seen in zip(network.stack, ranges.layers, strict=True):
        neuron = choose_neuron(layer.ssm, sent, seen.state, seen.ssm, arithmetic, options)
        linear = choose_dense(layer.linear, neuron.sent, seen.linear, arithmetic, options)
        add = None
        if layer.config.residual:
            linear = align(linear, sent, arithmetic)
            add = choose_add(linear.sent, sent, seen.output, arithmetic, options)
        layers.append(LayerScale(neuron, linear, add))
        sent = layers[-1].sent
    readout = choose_readout(network.decoder, sent, arithmetic)
    return Scales(token, encoder, tuple(layers), readout)


def lower(
    network: Network, scales: Scales, arithmetic: Arithmetic
) -> tuple[tuple[Node, ...], Readout]:
    """Turn a network into integers.

    Args:
        network: Of the shape that the scales were chosen for, batch normalization folded.
        scales: From `choose_scales`.
        arithmetic: Widths and roundings.

    Returns:
        The nodes in order, and the read-out: with any input quantizer a legal program.
    """
    encoder = lower_dense(
        "encoder", network.encoder, scales.token, scales.encoder, False, arithmetic
    )
    nodes: list[Node] = [encoder]
    before = scales.encoder.sent
    relu = network.config.mixer is Mixer.RELU
    for index, (layer, scale) in enumerate(zip(network.stack, scales.layers, strict=True)):
        name, neuron = f"layer{index}", scale.neuron
        nodes.append(lower_neuron(f"{name}.s4d", layer.ssm, before, neuron, arithmetic))
        nodes.append(
            lower_dense(f"{name}.linear", layer.linear, neuron.sent, scale.linear, relu, arithmetic)
        )
        if scale.add is not None:
            source = nodes[-3].name
            nodes.append(
                lower_add(f"{name}.add", source, scale.linear.sent, before, scale.add, arithmetic)
            )
        before = scale.sent
    return tuple(nodes), lower_readout(network.decoder, before, scales.readout, arithmetic)
