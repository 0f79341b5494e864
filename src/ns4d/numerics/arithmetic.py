"""Arithmetic profiles: the widths of an integer program with the places where it rounds.

A profile is data. The ranges that `Arithmetic` accepts make every int64 intermediate safe:

    coefficient · state     2^23 · 2^31            = 2^54, three of them < 2^56
    coefficient · message   2^23 · 2^23            = 2^46
    accumulator · factor    (2^39 - 1)(2^23 - 1)   < 2^62, the contract of the shifts

The sums of SUM_HALF_UP also depend on the shifts; `Program` proves those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from types import MappingProxyType

import numpy as np

from ns4d.errors import ConfigError
from ns4d.numerics.primitives import Shift, largest, shift_floor, shift_half_up


class ProductRounding(Enum):
    """Where the neuron rounds the products of its recurrence."""

    EACH_TOWARD_ZERO = "each_toward_zero"
    """Every product is shifted toward zero by itself; the shifted products are added."""
    SUM_HALF_UP = "sum_half_up"
    """The products are added exactly; the sum is shifted once, to the nearest integer."""


class SynapseRounding(Enum):
    """How the descaling of an accumulator rounds, once."""

    FLOOR = "floor"
    HALF_UP = "half_up"


SYNAPSE_SHIFT: Mapping[SynapseRounding, Callable[[np.ndarray, Shift], np.ndarray]] = (
    MappingProxyType({SynapseRounding.FLOOR: shift_floor, SynapseRounding.HALF_UP: shift_half_up})
)

WIDTHS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "weight_bits": (2, 16),
        "message_bits": (2, 24),
        "coefficient_bits": (2, 24),
        "state_bits": (2, 32),
        "multiplier_bits": (2, 24),
        "accumulator_bits": (2, 40),
    }
)

ROUNDINGS: Mapping[str, type[Enum]] = MappingProxyType(
    {"product_rounding": ProductRounding, "synapse_rounding": SynapseRounding}
)


@dataclass(frozen=True)
class Arithmetic:
    """Every width and every rounding of an integer program. All integers are symmetric.

    Args:
        name: Letters, digits, '-' and '_'; shown in reports and stored in the file.
        weight_bits: Synaptic weights of dense layers and read-out, 2..16.
        message_bits: Messages between nodes, signed, 2..24.
        coefficient_bits: a, b, c and d of the neuron, 2..24.
        state_bits: Real part and imaginary part of a state, each, 2..32.
        multiplier_bits: Descaling factors; they are never negative, 2..24.
        accumulator_bits: Sums of weighted messages, proved free of overflow, 2..40.
        product_rounding: Where the neuron rounds.
        synapse_rounding: How the descaling rounds.

    Raises:
        ConfigError: A field has the wrong type or lies outside its range.
    """

    name: str
    weight_bits: int
    message_bits: int
    coefficient_bits: int
    state_bits: int
    multiplier_bits: int
    accumulator_bits: int
    product_rounding: ProductRounding
    synapse_rounding: SynapseRounding

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", self.name):
            raise _wrong("name", "1 to 32 letters, digits, '-' or '_'", self.name)
        for field, (low, high) in WIDTHS.items():
            bits = getattr(self, field)
            if type(bits) is not int or not low <= bits <= high:
                raise _wrong(field, f"an integer from {low} to {high}", bits)
        for field, kind in ROUNDINGS.items():
            if not isinstance(getattr(self, field), kind):
                raise _wrong(field, f"a member of {kind.__name__}", getattr(self, field))

    @property
    def weight_max(self) -> int:
        """Largest magnitude of a weight."""
        return largest(self.weight_bits)

    @property
    def message_max(self) -> int:
        """Largest magnitude of a message."""
        return largest(self.message_bits)

    @property
    def coefficient_max(self) -> int:
        """Largest magnitude of a coefficient."""
        return largest(self.coefficient_bits)

    @property
    def state_max(self) -> int:
        """Largest magnitude of a state's real part, and of its imaginary part."""
        return largest(self.state_bits)

    @property
    def multiplier_max(self) -> int:
        """Largest descaling factor; the smallest is 0."""
        return largest(self.multiplier_bits)

    @property
    def accumulator_max(self) -> int:
        """Largest magnitude of an accumulator."""
        return largest(self.accumulator_bits)


def _wrong(field: str, expected: str, got: object) -> ConfigError:
    return ConfigError(
        f"Arithmetic.{field}",
        expected=expected,
        got=repr(got),
        fix="Start from LOIHI2 or WIDE with dataclasses.replace.",
    )


LOIHI2 = Arithmetic(
    name="loihi2",
    weight_bits=8,
    message_bits=12,
    coefficient_bits=16,
    state_bits=24,
    multiplier_bits=16,
    accumulator_bits=24,
    product_rounding=ProductRounding.EACH_TOWARD_ZERO,
    synapse_rounding=SynapseRounding.FLOOR,
)

WIDE = Arithmetic(
    name="wide",
    weight_bits=8,
    message_bits=16,
    coefficient_bits=16,
    state_bits=32,
    multiplier_bits=16,
    accumulator_bits=32,
    product_rounding=ProductRounding.SUM_HALF_UP,
    synapse_rounding=SynapseRounding.HALF_UP,
)

PROFILES: Mapping[str, Arithmetic] = MappingProxyType(
    {profile.name: profile for profile in (LOIHI2, WIDE)}
)

assert {field.name for field in fields(Arithmetic)} == {"name", *WIDTHS, *ROUNDINGS}
