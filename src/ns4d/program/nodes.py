"""The nodes of an integer program: what each one holds, as plain integers.

t(p, s) is the profile's product shift, e(p, s) its synapse shift, clip(x, lo, hi) the obvious.

    input      u_i = saturate(nearest((x_i - offset_i) / scale_i), message_bits)          (0)
    S4D        xr' = sat( t(ar·xr, sa) - t(ai·xi, sa) + t(br·u, sb) )                      (1)
               xi' = sat( t(ar·xi, sa) + t(ai·xr, sa) + t(bi·u, sb) )                      (2)
               v_h = Σ_n [ t(cr·xr', sc) - t(ci·xi', sc) ] + t(d·u, sd)                    (3)
    descale    m   = clip( e(v·multiplier, shift), 0 if relu else -limit, limit )          (4)
    dense      v_o = Σ_i W_oi·m_i + bias_o                                                 (5)
    add        v_h = weight_h·m_h + skip_h·s_h,  s the messages of an earlier node         (10)
    read-out   r  += W·m at every token; scores after T tokens = r + T·bias                (6)

(1)-(3) are written for EACH_TOWARD_ZERO. Under SUM_HALF_UP each right-hand side is the exact sum
Σ p_i·2^-s_i, rounded once, a tie up. (3) uses the new state; the factor 2 of 2·Re is part of c.

A node holds int64 arrays, read-only copies of the integer arrays it was given, whatever their
type. It checks shapes and shifts; widths and accumulators depend on the profile and on the
neighbours, so `Program` checks those.

Axes      i in, o out, h channel, n stored mode.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from ns4d.errors import ConfigError, ShapeError
from ns4d.numerics import SHIFT_MAX
from ns4d.program.arrays import (
    Sizes,
    float_array,
    integer,
    integer_array,
    node_name,
    require_within,
)

_SHIFT_FIX = f"Shifts are 0 to {SHIFT_MAX}; fold a larger factor into the coefficients."
INT64_MAX = 2**63 - 1


@dataclass(frozen=True, eq=False)
class InputQuantizer:
    """(0) Turns real tokens into messages; the division is IEEE 754 double precision.

    Args:
        offset: float64 (i,): the value that becomes 0.
        scale: float64 (i,): the size of one integer step, positive.

    Raises:
        ShapeError: Not float arrays of one shape (i,).
        RangeError: Not finite, or a scale that is not positive.
    """

    offset: np.ndarray
    scale: np.ndarray

    def __post_init__(self) -> None:
        sizes: Sizes = {}
        _set(self, "offset", float_array("input offset", self.offset, "i", sizes))
        _set(self, "scale", float_array("input scale", self.scale, "i", sizes))
        smallest, largest = sys.float_info.min, sys.float_info.max
        fix = "A channel that never varies may use scale 1.0."
        require_within("input scale", self.scale, smallest, largest, fix)

    @property
    def inputs(self) -> int:
        """Values per token."""
        return self.offset.shape[0]


@dataclass(frozen=True, eq=False)
class Descale:
    """(4) From an accumulator to a message, per output channel.

    Args:
        multiplier: int (o,), 0 .. 2^(multiplier_bits-1) - 1.
        shift: One exponent for all channels, 0..62.
        limit: int (o,), 0 .. largest message: the clip, hence the proven range of the message.
        relu: Clip at 0 from below instead of at -limit.

    Raises:
        ShapeError: Not integer arrays of one shape (o,).
        RangeError: A negative multiplier or limit, or a shift outside 0..62.
    """

    multiplier: np.ndarray
    shift: int
    limit: np.ndarray
    relu: bool

    def __post_init__(self) -> None:
        sizes: Sizes = {}
        for field in ("multiplier", "limit"):
            where = f"descale {field}"
            array = integer_array(where, getattr(self, field), "o", sizes)
            require_within(where, array, 0, INT64_MAX, "Negative values have no meaning here.")
            _set(self, field, array)
        _set(self, "shift", integer("descale shift", self.shift, 0, SHIFT_MAX))
        if not isinstance(self.relu, bool):
            raise ConfigError(
                "descale relu",
                expected="True or False",
                got=repr(self.relu),
                fix="Pass a Python bool.",
            )

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.limit.shape[0]


@dataclass(frozen=True, eq=False)
class Dense:
    """(5) with (4): a linear layer.

    Args:
        name: Unique in its program.
        weight: int (o, i).
        bias: int (o,), in units of the accumulator.
        descale: How the accumulator becomes a message.

    Raises:
        ConfigError: A bad name.
        ShapeError: Arrays that do not agree.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray
    descale: Descale

    def __post_init__(self) -> None:
        where = f"node '{node_name(self.name)}'"
        sizes: Sizes = {}
        _set(self, "weight", integer_array(f"{where} weight", self.weight, "o i", sizes))
        _set(self, "bias", integer_array(f"{where} bias", self.bias, "o", sizes))
        _require_descale(where, self.descale, sizes["o"])

    @property
    def inputs(self) -> int:
        """Messages in."""
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        """Messages out."""
        return self.weight.shape[0]


@dataclass(frozen=True, eq=False)
class S4D:
    """(1)-(3) with (4): h channels of n complex states each; one message in, one out per channel.

    Args:
        name: Unique in its program.
        a_re, a_im: int (h, n); a = (a_re + i·a_im) · 2^-a_shift.
        b_re, b_im: int (h, n); b = (b_re + i·b_im) · 2^-b_shift[h].
        c_re, c_im: int (h, n); 2c = (c_re + i·c_im) · 2^-c_shift[h].
        d: int (h,); d · 2^-d_shift[h].
        a_shift: One exponent for the node, 0..62.
        b_shift, c_shift, d_shift: int (h,), 0..62.
        descale: How v becomes a message.

    Raises:
        ConfigError: A bad name.
        ShapeError: Arrays that do not agree.
        RangeError: A shift outside 0..62.
    """

    name: str
    a_re: np.ndarray
    a_im: np.ndarray
    b_re: np.ndarray
    b_im: np.ndarray
    c_re: np.ndarray
    c_im: np.ndarray
    d: np.ndarray
    a_shift: int
    b_shift: np.ndarray
    c_shift: np.ndarray
    d_shift: np.ndarray
    descale: Descale

    def __post_init__(self) -> None:
        where = f"node '{node_name(self.name)}'"
        sizes: Sizes = {}
        for field in ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im"):
            _set(self, field, integer_array(f"{where} {field}", getattr(self, field), "h n", sizes))
        for field in ("d", "b_shift", "c_shift", "d_shift"):
            _set(self, field, integer_array(f"{where} {field}", getattr(self, field), "h", sizes))
        for field in ("b_shift", "c_shift", "d_shift"):
            require_within(f"{where} {field}", getattr(self, field), 0, SHIFT_MAX, _SHIFT_FIX)
        _set(self, "a_shift", integer(f"{where} a_shift", self.a_shift, 0, SHIFT_MAX))
        _require_descale(where, self.descale, sizes["h"])

    @property
    def inputs(self) -> int:
        """Messages in: one per channel."""
        return self.a_re.shape[0]

    @property
    def outputs(self) -> int:
        """Messages out: one per channel."""
        return self.a_re.shape[0]

    @property
    def modes(self) -> int:
        """Stored modes per channel: complex states."""
        return self.a_re.shape[1]

    @property
    def has_one_drive(self) -> bool:
        """Whether b is one real number per channel, as with B folded into C."""
        return not self.b_im.any() and bool((self.b_re == self.b_re[:, :1]).all())


@dataclass(frozen=True, eq=False)
class Add:
    """(10) with (4): a residual connection, by synapses of one weight per channel.

    Args:
        name: Unique in its program.
        source: Name of the earlier node whose messages of the same token are added.
        weight: int (h,), for the messages of the node before.
        skip: int (h,), for those of the source.
        descale: How the sum becomes a message.

    Raises:
        ConfigError: A bad name.
        ShapeError: Arrays that do not agree.
    """

    name: str
    source: str
    weight: np.ndarray
    skip: np.ndarray
    descale: Descale

    def __post_init__(self) -> None:
        where = f"node '{node_name(self.name)}'"
        node_name(self.source)
        sizes: Sizes = {}
        for field in ("weight", "skip"):
            _set(self, field, integer_array(f"{where} {field}", getattr(self, field), "h", sizes))
        _require_descale(where, self.descale, sizes["h"])

    @property
    def inputs(self) -> int:
        """Messages in from the node before; as many come from the source."""
        return self.weight.shape[0]

    @property
    def outputs(self) -> int:
        """Messages out."""
        return self.weight.shape[0]


@dataclass(frozen=True, eq=False)
class Readout:
    """(6) Adds up class scores over time; the bias counts once per token.

    Args:
        weight: int (o, i), one row per class.
        bias: int (o,), in units of weight · message.

    Raises:
        ShapeError: Arrays that do not agree.
    """

    weight: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        sizes: Sizes = {}
        _set(self, "weight", integer_array("readout weight", self.weight, "o i", sizes))
        _set(self, "bias", integer_array("readout bias", self.bias, "o", sizes))

    @property
    def inputs(self) -> int:
        """Messages in."""
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        """Classes."""
        return self.weight.shape[0]


Node = Dense | S4D | Add


def _set(node: object, field: str, value: object) -> None:
    object.__setattr__(node, field, value)


def _require_descale(where: str, descale: Descale, outputs: int) -> None:
    if not isinstance(descale, Descale) or descale.channels != outputs:
        got = type(descale).__name__
        if isinstance(descale, Descale):
            got = f"{descale.channels} channels"
        raise ShapeError(
            f"{where} descale",
            expected=f"a Descale of {outputs} channels",
            got=got,
            fix="Give it one multiplier with one limit per output channel.",
        )
