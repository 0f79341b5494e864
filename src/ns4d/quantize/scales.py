"""All scales of one network, as data: what turns its real numbers into integers.

    message   real = m · scale                                                             (1)
    weight    real = W · scale of its output channel                                       (2)
    output    real = v · 2^-fv of its channel                                              (3)

`ns4d.quantize.lower` chooses them once, then applies them, as often as the parameters change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ns4d.errors import RangeError, ShapeError


@dataclass(frozen=True, eq=False)
class Messages:
    """What a node sends: (1) with the clip of each channel.

    Args:
        scale: The value of one step, positive.
        limit: int (o,), the largest magnitude.

    Raises:
        RangeError: A scale that is not a positive number, or a negative limit.
    """

    scale: float
    limit: np.ndarray

    def __post_init__(self) -> None:
        _require_positive("message scale", np.array([self.scale]))
        if (self.limit < 0).any():
            raise RangeError(
                "message limit",
                expected="limits of at least 0",
                got=str(self.limit.min()),
                fix="Take them from choose_scales.",
            )


@dataclass(frozen=True, eq=False)
class DenseScale:
    """A linear map.

    Args:
        weight: float (o,), the value of one weight step (2).
        sent: The messages after descaling.

    Raises:
        RangeError: A scale that is not a positive number.
        ShapeError: Another number of channels sent.
    """

    weight: np.ndarray
    sent: Messages

    def __post_init__(self) -> None:
        _require_positive("weight scale", self.weight)
        _require_channels("dense scale", len(self.weight), self.sent.limit)


@dataclass(frozen=True, eq=False)
class NeuronScale:
    """A state-space model; the meaning of each exponent stands in `ns4d.quantize.neuron`.

    Args:
        fold_b: Whether B is folded into C.
        state: int (h,), fx.
        output: int (h,), fv of (3).
        a_shift: Of the whole node.
        b_shift, c_shift, d_shift: int (h,).
        sent: The messages after descaling.

    Raises:
        ShapeError: Not one number per channel everywhere.
    """

    fold_b: bool
    state: np.ndarray
    output: np.ndarray
    a_shift: int
    b_shift: np.ndarray
    c_shift: np.ndarray
    d_shift: np.ndarray
    sent: Messages

    def __post_init__(self) -> None:
        shifts = (self.b_shift, self.c_shift, self.d_shift)
        _require_channels("neuron scale", len(self.state), self.output, *shifts, self.sent.limit)


@dataclass(frozen=True, eq=False)
class LayerScale:
    """One layer: its state-space model, its mixer, and what a residual connection sends.

    Args:
        neuron: The state-space model.
        linear: The mixer.
        add: The messages of the add node; None without a residual connection.
    """

    neuron: NeuronScale
    linear: DenseScale
    add: Messages | None = None

    @property
    def sent(self) -> Messages:
        """What the layer sends."""
        return self.linear.sent if self.add is None else self.add


@dataclass(frozen=True, eq=False)
class Scales:
    """Everything that `ns4d.quantize.lower.lower` needs besides the parameters.

    Args:
        token: The normalized tokens.
        encoder: The encoder.
        layers: Of each layer.
        readout: The value of one weight step of the decoder, the same for all classes.

    Raises:
        RangeError: A scale that is not a positive number.
    """

    token: Messages
    encoder: DenseScale
    layers: tuple[LayerScale, ...]
    readout: float

    def __post_init__(self) -> None:
        _require_positive("readout scale", np.array([self.readout]))

    @property
    def last(self) -> Messages:
        """What enters the read-out."""
        return self.layers[-1].sent

    @property
    def score(self) -> float:
        """The value of one step of a score, in logits times tokens."""
        return self.readout * self.last.scale


def _require_positive(where: str, values: Float[np.ndarray, " o"]) -> None:
    bad = [float(v) for v in values if not 0 < v < math.inf]
    if bad:
        raise RangeError(
            where,
            expected="positive finite numbers",
            got=str(bad[0]),
            fix="Look for NaN in the network or in the calibration data.",
        )


def _require_channels(where: str, channels: int, *arrays: np.ndarray) -> None:
    for array in arrays:
        if array.shape != (channels,):
            raise ShapeError(
                where,
                expected=f"one number for each of {channels} channels",
                got=str(array.shape),
                fix="Take all of it from one call of choose_scales.",
            )
