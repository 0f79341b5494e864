"""Every integer of a node must fit the width that the arithmetic profile gives it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ns4d.numerics import Arithmetic, largest
from ns4d.program.arrays import require_within
from ns4d.program.nodes import S4D, Add, Dense, Node, Readout

# Field of a node -> field of the profile that gives its width.
WIDTH_OF = {
    Dense: {"weight": "weight_bits", "bias": "accumulator_bits"},
    Readout: {"weight": "weight_bits", "bias": "accumulator_bits"},
    Add: {"weight": "weight_bits", "skip": "weight_bits"},
    S4D: dict.fromkeys(("a_re", "a_im", "b_re", "b_im", "c_re", "c_im", "d"), "coefficient_bits"),
}
DESCALE_WIDTH_OF = {"multiplier": "multiplier_bits", "limit": "message_bits"}


def require_widths(arithmetic: Arithmetic, node: Node | Readout) -> None:
    """Check a node against a profile.

    Args:
        arithmetic: The profile.
        node: A node or the read-out.

    Raises:
        RangeError: An integer is too wide; node, field and index are named.
    """
    where = "readout" if isinstance(node, Readout) else f"node '{node.name}'"
    for field, array, width in _stored(node):
        bits = getattr(arithmetic, width)
        fix = f"The profile '{arithmetic.name}' has {width} {bits}; quantize for it."
        require_within(f"{where} {field}", array, -largest(bits), largest(bits), fix)


def parameter_bits(arithmetic: Arithmetic, node: Node | Readout) -> int:
    """Bits of all parameters of a node, each at the width of the profile; shifts not counted.

    Args:
        arithmetic: The profile.
        node: A node or the read-out.

    Returns:
        The number of bits.
    """
    return sum(array.size * getattr(arithmetic, width) for _, array, width in _stored(node))


def _stored(node: Node | Readout) -> Iterator[tuple[str, np.ndarray, str]]:
    """Name, array and width field of everything a node stores at a width of the profile."""
    for field, width in WIDTH_OF[type(node)].items():
        yield field, getattr(node, field), width
    if not isinstance(node, Readout):
        for field, width in DESCALE_WIDTH_OF.items():
            yield f"descale {field}", getattr(node.descale, field), width
