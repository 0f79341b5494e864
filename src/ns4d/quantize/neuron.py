"""Lower one state-space model to the integers of its neurons.

    a = Ā 2^sa                  state    real = x · 2^-fx                                   (1)
    b = B̄ s 2^(fx+sb)           output   real = v · 2^-fv                                   (2)
    c = 2 C 2^(fv-fx+sc)        message  real = u · s                                       (3)
    d = D s 2^(fv+sd)                                                                       (4)

fx leaves one bit of headroom above the calibrated maximum of the channel's states. fv is as
large as the proof allows that the sum over modes fits the accumulator, whatever the input; the
proof is `ns4d.program.ranges.reduction_bound`. Each shift s lets the largest coefficient of its
channel fill its width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from ns4d.model.layer import StateSpace
from ns4d.numerics import Arithmetic, nearest
from ns4d.program import S4D, Descale
from ns4d.program.ranges import reduction_bound, state_bound
from ns4d.quantize.scales import EXPONENT_MAX, floor_log2, mantissas

HEADROOM_BITS = 1
# All channels of a node share the descaling exponent; this spread of fv leaves the multiplier
# of every channel at least 9 of its 15 bits.
SPREAD_BITS = 5
# Products of unlike shifts are added in 64 bits under SUM_HALF_UP: keep the shifts this close.
SHIFT_GAP = 8


@dataclass(frozen=True)
class Neuron:
    """The integers (1) to (4), real and imaginary parts last, and fv."""

    a: Int[np.ndarray, "h n 2"]
    b: Int[np.ndarray, "h n 2"]
    c: Int[np.ndarray, "h n 2"]
    d: Int[np.ndarray, " h"]
    a_shift: int
    b_shift: Int[np.ndarray, " h"]
    c_shift: Int[np.ndarray, " h"]
    d_shift: Int[np.ndarray, " h"]
    output_exponent: Int[np.ndarray, " h"]

    def node(self, name: str, descale: Descale) -> S4D:
        """The node of a program."""
        a, b, c = ((part[..., 0], part[..., 1]) for part in (self.a, self.b, self.c))
        shifts = (self.a_shift, self.b_shift, self.c_shift, self.d_shift)
        return S4D(name, *a, *b, *c, self.d, *shifts, descale)


def lower_neuron(
    ssm: StateSpace,
    scale: float,
    limit: Int[np.ndarray, " h"],
    state_peak: Float[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> Neuron:
    """Choose all integers of one S4D node.

    Args:
        ssm: The float model.
        scale: Value s of one step of the incoming messages.
        limit: Largest magnitude of the incoming message, per channel.
        state_peak: Largest magnitude of the channel's states on calibration data.
        arithmetic: Widths and roundings.

    Returns:
        The integers; every accumulator is proved.
    """
    discrete = ssm.discrete()
    a_shift = arithmetic.coefficient_bits - 1
    a = _contracting(_complex(discrete.a_bar), a_shift)
    drive = _parts(_complex(discrete.b_bar)) * scale
    fx = _state_exponent(state_peak, drive, arithmetic)
    b, b_shift = _fill(np.ldexp(drive, fx[:, None, None]), arithmetic, a_shift + SHIFT_GAP)
    parts = (a[..., 0], a[..., 1], b[..., 0], b[..., 1])
    states = state_bound(arithmetic, *parts, a_shift, b_shift, limit)
    gain = np.ldexp(2 * _parts(_complex(discrete.c)), -fx[:, None, None])
    direct = ssm.d.detach().double().numpy() * scale
    fv = _first_output_exponent(gain, direct, states, limit, arithmetic)
    while True:
        c, d, c_shift, d_shift = _output(gain, direct, fv, arithmetic)
        bound = reduction_bound(
            arithmetic, states, c[..., 0], c[..., 1], d, c_shift, d_shift, limit
        )
        over = bound > arithmetic.accumulator_max
        if not over.any():
            return Neuron(a, b, c, d, a_shift, b_shift, c_shift, d_shift, fv)
        fv = fv - over


def _contracting(a_bar: Complex[np.ndarray, "h n"], shift: int) -> Int[np.ndarray, "h n 2"]:
    """(1), inside the unit disc, so that a stable model stays stable.

    Where the nearest integers would leave it, those towards zero stay in it.
    """
    scaled = np.ldexp(_parts(a_bar), shift)
    integers = nearest(scaled)
    unstable = (integers**2).sum(-1, keepdims=True) >= 4**shift
    inward = integers - np.sign(integers) * (np.abs(integers) > np.abs(scaled))
    return np.where(unstable, inward, integers)


def _state_exponent(
    peak: Float[np.ndarray, " h"], drive: Float[np.ndarray, "h n 2"], arithmetic: Arithmetic
) -> Int[np.ndarray, " h"]:
    """fx: headroom above the peak, and b within its width even with a shift of 0."""
    widest = np.abs(drive).max((1, 2))
    by_drive = floor_log2(arithmetic.coefficient_max / np.where(widest > 0, widest, 1.0))
    by_state = floor_log2(arithmetic.state_max / np.where(peak > 0, peak, 1.0)) - HEADROOM_BITS
    return np.minimum(by_drive, by_state)


def _first_output_exponent(
    gain: Float[np.ndarray, "h n 2"],
    direct: Float[np.ndarray, " h"],
    states: Int[np.ndarray, "h n"],
    limit: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> Int[np.ndarray, " h"]:
    """The largest fv that real numbers would allow; rounding may cost the last bit."""
    worst = (np.abs(gain).sum(-1) * states).sum(-1) + np.abs(direct) * limit
    widest = np.maximum(np.abs(gain).max((1, 2)), np.abs(direct))
    live = worst > 0
    fv = floor_log2(arithmetic.accumulator_max / np.where(live, worst, 1.0))
    fits = floor_log2(arithmetic.coefficient_max / np.where(widest > 0, widest, 1.0))
    fv = np.minimum(fv, fits)
    lowest = fv[live].min() if live.any() else 0
    return np.where(live, np.minimum(fv, lowest + SPREAD_BITS), lowest)


def _output(
    gain: Float[np.ndarray, "h n 2"],
    direct: Float[np.ndarray, " h"],
    fv: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    c, c_shift = _fill(np.ldexp(gain, fv[:, None, None]), arithmetic, EXPONENT_MAX - SHIFT_GAP)
    d, d_shift = mantissas(
        np.ldexp(direct, fv)[:, None], arithmetic.coefficient_max, c_shift + SHIFT_GAP
    )
    return c, d[:, 0], c_shift, d_shift


def _fill(
    values: Float[np.ndarray, "h n 2"], arithmetic: Arithmetic, shift_max: int
) -> tuple[Int[np.ndarray, "h n 2"], Int[np.ndarray, " h"]]:
    h = len(values)
    flat, shift = mantissas(
        values.reshape(h, -1), arithmetic.coefficient_max, np.full(h, shift_max)
    )
    return flat.reshape(values.shape), shift


def _parts(values: Complex[np.ndarray, "h n"]) -> Float[np.ndarray, "h n 2"]:
    return np.stack([np.real(values), np.imag(values)], axis=-1)


def _complex(values: Tensor) -> Complex[np.ndarray, "h n"]:
    return values.detach().to(torch.complex128).numpy()
