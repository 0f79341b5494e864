"""A profile with other widths, named after them."""

from __future__ import annotations

from dataclasses import replace

from ns4d.numerics import Arithmetic


def with_widths(
    arithmetic: Arithmetic,
    weight_bits: int | None = None,
    coefficient_bits: int | None = None,
    message_bits: int | None = None,
    state_bits: int | None = None,
) -> Arithmetic:
    """The profile with some widths replaced: `loihi2` with weights of 4 bits is `loihi2-w4`.

    Args:
        arithmetic: The profile to start from.
        weight_bits, coefficient_bits, message_bits, state_bits: New widths; None keeps the old.

    Raises:
        ConfigError: A width that no program can have.
    """
    given = {
        "weight_bits": weight_bits,
        "coefficient_bits": coefficient_bits,
        "message_bits": message_bits,
        "state_bits": state_bits,
    }
    chosen = {field: bits for field, bits in given.items() if bits is not None}
    changed = {k: bits for k, bits in chosen.items() if bits != getattr(arithmetic, k)}
    suffix = "".join(f"{field[0]}{bits}" for field, bits in changed.items())
    name = f"{arithmetic.name}-{suffix}" if suffix else arithmetic.name
    return replace(arithmetic, name=name, **changed)
