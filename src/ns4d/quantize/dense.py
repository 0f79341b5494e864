"""Linear maps: choose the scale of each row of weights, then lower them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from ns4d.numerics import Arithmetic, nearest
from ns4d.program import Dense, Readout
from ns4d.program.ranges import dense_bound
from ns4d.quantize.fit import fit_dense
from ns4d.quantize.messages import choose_messages, lower_descale
from ns4d.quantize.options import Options
from ns4d.quantize.scales import DenseScale, Messages


def choose_dense(
    linear: nn.Linear,
    before: Messages,
    peaks: Float[np.ndarray, " o"],
    arithmetic: Arithmetic,
    options: Options,
) -> DenseScale:
    """The scales of a dense node.

    Args:
        linear: Weights with bias.
        before: The messages that enter it.
        peaks: Largest magnitude of each output on calibration data.
        arithmetic: Widths.
        options: See `Options`.
    """
    scale = _weight_scale(double(linear.weight), double(linear.bias), before, arithmetic)
    return DenseScale(scale, choose_messages(scale * before.scale, peaks, arithmetic, options))


def lower_dense(
    name: str,
    linear: nn.Linear,
    before: Messages,
    scale: DenseScale,
    relu: bool,
    arithmetic: Arithmetic,
) -> Dense:
    """The integers of a dense node; rows that the accumulator could not hold are shrunk.

    Args:
        name: Of the node.
        linear: Weights with bias.
        before: The messages that enter it.
        scale: From `choose_dense`, for this or for earlier weights.
        relu: Whether negative outputs become 0.
        arithmetic: Widths.
    """
    weight, bias = _integers(
        double(linear.weight), double(linear.bias), scale.weight, before, arithmetic
    )
    weight, bias = fit_dense(weight, bias, before.limit, arithmetic)
    step = scale.weight * before.scale
    return Dense(name, weight, bias, lower_descale(name, step, scale.sent, relu, arithmetic))


def choose_readout(linear: nn.Linear, before: Messages, arithmetic: Arithmetic) -> float:
    """The value of one weight step of the decoder: one for all classes, or argmax would change."""
    weight, bias = double(linear.weight), double(linear.bias)
    # Bias and weighted messages are held apart, but each must fit the accumulator's width.
    by_weight = _weight_scale(weight, np.zeros_like(bias), before, arithmetic)
    by_bias = np.abs(bias) / (before.scale * arithmetic.accumulator_max)
    return float(max(by_weight.max(), by_bias.max()))


def lower_readout(
    linear: nn.Linear, before: Messages, scale: float, arithmetic: Arithmetic
) -> Readout:
    """The integers of the decoder."""
    weight, bias = double(linear.weight), double(linear.bias)
    steps = np.full(len(bias), scale)
    weight, bias = _integers(weight, bias, steps, before, arithmetic)
    weight, _ = fit_dense(weight, np.zeros_like(bias), before.limit, arithmetic)
    most = arithmetic.accumulator_max
    return Readout(weight, np.clip(bias, -most, most))


def double(parameter: Tensor) -> Float[np.ndarray, "..."]:
    """A parameter as a NumPy array of doubles."""
    return parameter.detach().cpu().double().numpy()


def _weight_scale(
    weight: Float[np.ndarray, "o i"],
    bias: Float[np.ndarray, " o"],
    before: Messages,
    arithmetic: Arithmetic,
) -> Float[np.ndarray, " o"]:
    """The full width, or what keeps the accumulator proved, whichever is coarser."""
    peak = np.abs(weight).max(1)
    scale = np.where(peak > 0, peak, 1.0) / arithmetic.weight_max
    worst = np.abs(weight) @ before.limit + np.abs(bias) / before.scale
    scale = np.maximum(scale, worst / arithmetic.accumulator_max)
    while True:
        integers, offset = _integers(weight, bias, scale, before, arithmetic)
        over = dense_bound(integers, offset, before.limit) > arithmetic.accumulator_max
        if not over.any():
            return scale
        # Rounding pushed the bound over the edge by at most half a step per weight.
        scale = np.where(over, scale * 1.01, scale)


def _integers(
    weight: Float[np.ndarray, "o i"],
    bias: Float[np.ndarray, " o"],
    scale: Float[np.ndarray, " o"],
    before: Messages,
    arithmetic: Arithmetic,
) -> tuple[Int[np.ndarray, "o i"], Int[np.ndarray, " o"]]:
    largest = arithmetic.weight_max
    integers = np.clip(nearest(weight / scale[:, None]), -largest, largest)
    offset = nearest(bias / (scale * before.scale))
    # One beyond the accumulator, so that the loop above still sees that it does not fit.
    most = arithmetic.accumulator_max + 1
    return integers, np.clip(offset, -most, most)
