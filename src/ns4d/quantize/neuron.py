"""One state-space model: choose the exponents of its neurons, then lower it to their integers.

    a = Ā 2^sa                  state    real = x · 2^-fx                                   (1)
    b = B̄ s 2^(fx+sb)           output   real = v · 2^-fv                                   (2)
    c = 2 C 2^(fv-fx+sc)        message  real = u · s                                       (3)
    d = D s 2^(fv+sd)                                                                       (4)

Only the product of B̄ and C reaches the output. With B folded into C the state is x / (B̄ s), so
that it counts messages, and

    b = 2^(fx+sb)               c = 2 C B̄ s 2^(fv-fx+sc)                                   (5)

A power of two costs a neuron a shift instead of two products, and no memory.

fx leaves some bits of headroom above the calibrated peak of the channel's states, or as many as
the proof needs that none of them ever saturates (`ns4d.program.ranges.state_bound`). fv is as
large as the proof allows that the sum over modes fits the accumulator, whatever the input; the
proof is `ns4d.program.ranges.reduction_bound`. Each shift s lets the largest coefficient of its
channel fill its width; that of a folded b is as small as it can be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from ns4d.errors import RangeError
from ns4d.model.layer import StateSpace
from ns4d.numerics import Arithmetic, nearest
from ns4d.program import S4D
from ns4d.quantize.coefficients import Coefficients
from ns4d.quantize.dense import double
from ns4d.quantize.fit import fit_output
from ns4d.quantize.integers import EXPONENT_MAX, filling_shift, floor_log2, mantissas
from ns4d.quantize.messages import choose_messages, lower_descale
from ns4d.quantize.options import Options
from ns4d.quantize.scales import Messages, NeuronScale

# All channels of a node share the descaling exponent; this spread of fv leaves the multiplier
# of every channel at least 9 of its 15 bits.
SPREAD_BITS = 5
# Products of unlike shifts are added in 64 bits under SUM_HALF_UP: keep the shifts this close.
SHIFT_GAP = 8


@dataclass(frozen=True)
class RealNeuron:
    """What (1) to (5) round: real numbers, real and imaginary part last.

    Args:
        a: Ā.
        drive: B̄ s, or 1 with B folded.
        gain: 2 C, or 2 C B̄ s with B folded.
        direct: D s.
    """

    a: Float[np.ndarray, "h n 2"]
    drive: Float[np.ndarray, "h n 2"]
    gain: Float[np.ndarray, "h n 2"]
    direct: Float[np.ndarray, " h"]


def choose_neuron(
    ssm: StateSpace,
    before: Messages,
    state_peak: Float[np.ndarray, " h"],
    output_peak: Float[np.ndarray, " h"],
    arithmetic: Arithmetic,
    options: Options,
) -> NeuronScale:
    """Choose all exponents of one S4D node; its accumulators are proved.

    Args:
        ssm: The float model.
        before: The messages that enter it.
        state_peak: Largest magnitude of the channel's states on calibration data, with B folded
            if the options say so.
        output_peak: The same of its outputs after the ReLU.
        arithmetic: Widths and roundings.
        options: See `Options`.

    Raises:
        RangeError: The states cannot be certified, as the options ask.
    """
    real = _real(ssm, before.scale, options.fold_b)
    peak = state_peak / before.scale if options.fold_b else state_peak
    fx = _state_exponent(peak, real.drive, arithmetic, options.headroom_bits)
    if options.certifies(arithmetic):
        fx = _certified_exponent(real, fx, before.limit, arithmetic, options.fold_b)
    b_shift = _drive_shift(real, fx, arithmetic, options.fold_b)
    fv, c_shift, d_shift = _choose_output(real, fx, b_shift, before.limit, arithmetic)
    sent = choose_messages(np.ldexp(1.0, -fv), output_peak, arithmetic, options)
    a_shift = arithmetic.coefficient_bits - 1
    return NeuronScale(options.fold_b, fx, fv, a_shift, b_shift, c_shift, d_shift, sent)


def lower_neuron(
    name: str, ssm: StateSpace, before: Messages, scale: NeuronScale, arithmetic: Arithmetic
) -> S4D:
    """(1) to (5) as integers, clipped to their widths, with |a| < 1.

    Args:
        name: Of the node.
        ssm: The float model.
        before: The messages that enter it.
        scale: From `choose_neuron`, for this or for earlier parameters.
        arithmetic: Widths and roundings.

    Returns:
        The node; channels that the accumulator could not hold are shrunk.
    """
    real = _real(ssm, before.scale, scale.fold_b)
    shifts = (scale.b_shift, scale.c_shift, scale.d_shift)
    neuron = _coefficients(real, scale.state, scale.output, *shifts, arithmetic)
    neuron = fit_output(neuron, before.limit, arithmetic)
    step = np.ldexp(1.0, -scale.output)
    return neuron.node(name, lower_descale(name, step, scale.sent, True, arithmetic))


def _real(ssm: StateSpace, scale: float, fold_b: bool) -> RealNeuron:
    discrete = ssm.discrete()
    a_bar, b_bar, c = (_complex(part) for part in (discrete.a_bar, discrete.b_bar, discrete.c))
    direct = double(ssm.d) * scale
    if fold_b:
        gain = _parts(2 * c * b_bar * scale)
        return RealNeuron(_parts(a_bar), _parts(np.ones_like(b_bar)), gain, direct)
    return RealNeuron(_parts(a_bar), _parts(b_bar) * scale, 2 * _parts(c), direct)


def _contracting(a_bar: Float[np.ndarray, "h n 2"], shift: int) -> Int[np.ndarray, "h n 2"]:
    """(1), inside the unit disc, so that a stable model stays stable.

    Where the nearest integers would leave it, those towards zero stay in it. Only ±1 and ±i,
    to which float32 rounds a mode that hardly decays, are on the circle themselves: clipped.
    """
    scaled = np.ldexp(a_bar, shift)
    integers = nearest(scaled)
    unstable = (integers**2).sum(-1, keepdims=True) >= 4**shift
    inward = integers - np.sign(integers) * (np.abs(integers) > np.abs(scaled))
    largest = 2**shift - 1
    return np.clip(np.where(unstable, inward, integers), -largest, largest)


def _state_exponent(
    peak: Float[np.ndarray, " h"],
    drive: Float[np.ndarray, "h n 2"],
    arithmetic: Arithmetic,
    headroom_bits: int,
) -> Int[np.ndarray, " h"]:
    """fx: headroom above the peak, and b within its width even with a shift of 0."""
    widest = np.abs(drive).max((1, 2))
    by_drive = floor_log2(arithmetic.coefficient_max / np.where(widest > 0, widest, 1.0))
    by_state = floor_log2(arithmetic.state_max / np.where(peak > 0, peak, 1.0)) - headroom_bits
    return np.minimum(by_drive, by_state)


def _certified_exponent(
    real: RealNeuron,
    fx: Int[np.ndarray, " h"],
    limit: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
    fold_b: bool,
) -> Int[np.ndarray, " h"]:
    """The largest fx, from the calibrated one down, for which no state can saturate."""
    fx, none = fx.copy(), np.zeros_like(fx)
    doubtful = np.arange(len(fx))
    for _ in range(arithmetic.state_bits):
        b_shift = _drive_shift(real, fx, arithmetic, fold_b)
        neuron = _coefficients(real, fx, none, b_shift, none, none, arithmetic).channels(doubtful)
        states = neuron.states(arithmetic, limit[doubtful])
        doubtful = doubtful[(states >= arithmetic.state_max).any(1)]
        if not doubtful.size:
            break
        fx[doubtful] -= 1
    # A drive that rounds every message away is bounded as well, but certifies nothing of use.
    widest = np.ldexp(np.abs(real.drive).max((1, 2)) * limit, fx)
    lost = np.union1d(doubtful, np.flatnonzero((widest > 0) & (widest < 1)))
    if not lost.size:
        return fx
    raise RangeError(
        f"channel {lost[0]}",
        expected=f"states proved within {arithmetic.state_bits} bits",
        got="a mode that decays too slowly for that",
        fix="Calibrate instead of certifying, or take a profile with wider states.",
    )


def _drive_shift(
    real: RealNeuron, fx: Int[np.ndarray, " h"], arithmetic: Arithmetic, fold_b: bool
) -> Int[np.ndarray, " h"]:
    """The shift of b, in lowest terms where b is a power of two."""
    if fold_b:
        return np.maximum(-fx, 0)
    drive = np.ldexp(real.drive, fx[:, None, None])
    return _filling(drive, arithmetic, arithmetic.coefficient_bits - 1 + SHIFT_GAP)


def _choose_output(
    real: RealNeuron,
    fx: Int[np.ndarray, " h"],
    b_shift: Int[np.ndarray, " h"],
    limit: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest fv, with the shifts of c and d, for which the accumulator is proved."""
    gain = np.ldexp(real.gain, -fx[:, None, None])
    none = np.zeros_like(fx)
    states = _coefficients(real, fx, none, b_shift, none, none, arithmetic).states(
        arithmetic, limit
    )
    fv = _first_output_exponent(gain, real.direct, states, limit, arithmetic)
    while True:
        scaled = np.ldexp(gain, fv[:, None, None])
        c_shift = _filling(scaled, arithmetic, EXPONENT_MAX - SHIFT_GAP)
        direct = np.ldexp(real.direct, fv)[:, None]
        d_shift = filling_shift(direct, arithmetic.coefficient_max, c_shift + SHIFT_GAP)
        neuron = _coefficients(real, fx, fv, b_shift, c_shift, d_shift, arithmetic)
        over = neuron.reduction(arithmetic, states, limit) > arithmetic.accumulator_max
        if not over.any():
            return fv, c_shift, d_shift
        fv = fv - over


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


def _coefficients(
    real: RealNeuron,
    fx: Int[np.ndarray, " h"],
    fv: Int[np.ndarray, " h"],
    b_shift: Int[np.ndarray, " h"],
    c_shift: Int[np.ndarray, " h"],
    d_shift: Int[np.ndarray, " h"],
    arithmetic: Arithmetic,
) -> Coefficients:
    """(1) to (5), each integer within its width."""
    a_shift, most = arithmetic.coefficient_bits - 1, arithmetic.coefficient_max
    b = _rounded(np.ldexp(real.drive, fx[:, None, None]), b_shift, most)
    c = _rounded(np.ldexp(real.gain, (fv - fx)[:, None, None]), c_shift, most)
    d = mantissas(np.ldexp(real.direct, fv)[:, None], most, d_shift)[:, 0]
    a = _contracting(real.a, a_shift)
    return Coefficients(a, b, c, d, a_shift, b_shift, c_shift, d_shift)


def _filling(
    values: Float[np.ndarray, "h n 2"], arithmetic: Arithmetic, shift_max: int
) -> Int[np.ndarray, " h"]:
    return filling_shift(values.reshape(len(values), -1), arithmetic.coefficient_max, shift_max)


def _rounded(
    values: Float[np.ndarray, "h n 2"], shift: Int[np.ndarray, " h"], largest: int
) -> Int[np.ndarray, "h n 2"]:
    return mantissas(values.reshape(len(values), -1), largest, shift).reshape(values.shape)


def _parts(values: Complex[np.ndarray, "h n"]) -> Float[np.ndarray, "h n 2"]:
    return np.stack([np.real(values), np.imag(values)], axis=-1)


def _complex(values: Tensor) -> Complex[np.ndarray, "h n"]:
    return values.detach().cpu().to(torch.complex128).numpy()
