"""Lower a float network to an integer program: every number to its integer.

Real values and integers are related by one scale each:

    message   real = m · s          s per node, from the calibrated maximum                (1)
    weight    real = W · s_w        s_w per output channel                                 (2)
    output    real = v · 2^-fv      fv per channel, from `ns4d.quantize.neuron`            (3)

The descaling factors follow: s_w s / s' after a linear map, 2^-fv / s' after a neuron, where s'
is the scale of the messages that the node sends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from ns4d.errors import ConfigError
from ns4d.model import Mixer, ModelConfig, Network, Nonlinearity, Norm, S4DLayer
from ns4d.numerics import Arithmetic, nearest
from ns4d.program import S4D, Dense, Descale, Node, Readout
from ns4d.program.ranges import dense_bound
from ns4d.quantize.neuron import lower_neuron
from ns4d.quantize.observe import LayerRange, NetworkRange
from ns4d.quantize.scales import message_limit, message_scale, multipliers

# Messages are clipped this much above the calibrated maximum of their channel.
HEADROOM = 1.25


@dataclass(frozen=True)
class Messages:
    """What one node sends: (1) with the clip of each channel."""

    scale: float
    limit: Int[np.ndarray, " o"]


def require_lowerable(config: ModelConfig) -> None:
    """Refuse what has no integer form yet.

    Raises:
        ConfigError: Naming the setting.
    """
    allowed: dict[str, tuple[object, ...]] = {
        "nonlinearity": (Nonlinearity.RELU,),
        "mixer": (Mixer.RELU, Mixer.LINEAR),
        "norm": (Norm.NONE, Norm.BATCH),
        "residual": (False,),
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


class Lowering:
    """Lowers one folded network with its observed ranges for one arithmetic profile."""

    def __init__(self, network: Network, ranges: NetworkRange, arithmetic: Arithmetic) -> None:
        require_lowerable(network.config)
        self.network, self.ranges, self.arithmetic = network, ranges, arithmetic
        self.token_scale = message_scale(ranges.token, arithmetic.message_max)

    def nodes(self) -> tuple[tuple[Node, ...], Messages]:
        """All nodes in order, and what the last one sends."""
        limit = np.full(len(self.ranges.token), self.arithmetic.message_max, dtype=np.int64)
        sent = Messages(self.token_scale, limit)
        node, sent = self._dense(
            "encoder", self.network.encoder, sent, self.ranges.encoder, relu=False
        )
        nodes: list[Node] = [node]
        pairs = zip(self.network.stack, self.ranges.layers, strict=True)
        for index, (layer, seen) in enumerate(pairs):
            node, sent = self._s4d(f"layer{index}.s4d", layer, sent, seen)
            relu = layer.config.mixer is Mixer.RELU
            name = f"layer{index}.linear"
            dense, sent = self._dense(name, layer.linear, sent, seen.linear, relu)
            nodes += [node, dense]
        return tuple(nodes), sent

    def readout(self, sent: Messages) -> tuple[Readout, float]:
        """The decoder, with one scale for all classes; and the value of one score step."""
        weight, bias = _double(self.network.decoder.weight), _double(self.network.decoder.bias)
        # Bias and weighted messages are held apart, but each must fit the accumulator's width.
        by_weight = self._weight_scale(weight, np.zeros_like(bias), sent)
        by_bias = np.abs(bias) / (sent.scale * self.arithmetic.accumulator_max)
        scale = np.full(len(bias), max(by_weight.max(), by_bias.max()))
        integers, offset = _dense_integers(weight, bias, scale, sent, self.arithmetic)
        return Readout(integers, offset), float(scale[0] * sent.scale)

    def _descale(
        self, name: str, step: Float[np.ndarray, " o"], peaks: Float[np.ndarray, " o"], relu: bool
    ) -> tuple[Descale, Messages]:
        """From accumulators with steps of this value to messages with these maxima."""
        largest, widest = self.arithmetic.message_max, self.arithmetic.multiplier_max
        scale = message_scale(peaks, largest, finest=float(step.max()) / widest)
        after = Messages(scale, message_limit(peaks, scale, largest, HEADROOM))
        gain = np.where(after.limit > 0, step / scale, 0.0)
        multiplier, shift = multipliers(gain, widest, name)
        return Descale(multiplier, shift, after.limit, relu), after

    def _dense(
        self,
        name: str,
        linear: nn.Linear,
        sent: Messages,
        peaks: Float[np.ndarray, " o"],
        relu: bool,
    ) -> tuple[Dense, Messages]:
        weight, bias = _double(linear.weight), _double(linear.bias)
        scale = self._weight_scale(weight, bias, sent)
        integers, offset = _dense_integers(weight, bias, scale, sent, self.arithmetic)
        descale, after = self._descale(name, scale * sent.scale, peaks, relu)
        return Dense(name, integers, offset, descale), after

    def _weight_scale(
        self, weight: Float[np.ndarray, "o i"], bias: Float[np.ndarray, " o"], sent: Messages
    ) -> Float[np.ndarray, " o"]:
        """(2): the full width, or what keeps the accumulator proved, whichever is coarser."""
        peak = np.abs(weight).max(1)
        scale = np.where(peak > 0, peak, 1.0) / self.arithmetic.weight_max
        worst = np.abs(weight) @ sent.limit + np.abs(bias) / sent.scale
        scale = np.maximum(scale, worst / self.arithmetic.accumulator_max)
        while True:
            integers, offset = _dense_integers(weight, bias, scale, sent, self.arithmetic)
            over = dense_bound(integers, offset, sent.limit) > self.arithmetic.accumulator_max
            if not over.any():
                return scale
            # Rounding pushed the bound over the edge by at most half a step per weight.
            scale = np.where(over, scale * 1.01, scale)

    def _s4d(
        self, name: str, layer: S4DLayer, sent: Messages, seen: LayerRange
    ) -> tuple[S4D, Messages]:
        neuron = lower_neuron(layer.ssm, sent.scale, sent.limit, seen.state, self.arithmetic)
        step = np.ldexp(1.0, -neuron.output_exponent)
        descale, after = self._descale(name, step, seen.ssm, relu=True)
        return neuron.node(name, descale), after


def _dense_integers(
    weight: Float[np.ndarray, "o i"],
    bias: Float[np.ndarray, " o"],
    scale: Float[np.ndarray, " o"],
    sent: Messages,
    arithmetic: Arithmetic,
) -> tuple[Int[np.ndarray, "o i"], Int[np.ndarray, " o"]]:
    largest = arithmetic.weight_max
    integers = np.clip(nearest(weight / scale[:, None]), -largest, largest)
    return integers, nearest(bias / (scale * sent.scale))


def _double(parameter: Tensor) -> Float[np.ndarray, "..."]:
    return parameter.detach().double().numpy()
