"""Every integer of a node must fit the width that the arithmetic profile gives it."""

from __future__ import annotations

from ns4d.numerics import Arithmetic
from ns4d.program.arrays import require_within
from ns4d.program.nodes import S4D, Dense, Node, Readout

# Field of a node -> field of the profile that gives its width.
WIDTH_OF = {
    Dense: {"weight": "weight_bits", "bias": "accumulator_bits"},
    Readout: {"weight": "weight_bits", "bias": "accumulator_bits"},
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
    fields = {field: (node, width) for field, width in WIDTH_OF[type(node)].items()}
    if not isinstance(node, Readout):
        for field, width in DESCALE_WIDTH_OF.items():
            fields[field] = (node.descale, width)
    for field, (holder, width) in fields.items():
        bits = getattr(arithmetic, width)
        top = 2 ** (bits - 1) - 1
        require_within(
            f"{where} {field}",
            getattr(holder, field),
            -top,
            top,
            f"The profile '{arithmetic.name}' has {width} {bits}; quantize for it.",
        )


def parameter_bits(arithmetic: Arithmetic, node: Node | Readout) -> int:
    """Bits of all parameters of a node, each at the width of the profile; shifts not counted.

    Args:
        arithmetic: The profile.
        node: A node or the read-out.

    Returns:
        The number of bits.
    """
    bits = sum(
        getattr(node, field).size * getattr(arithmetic, width)
        for field, width in WIDTH_OF[type(node)].items()
    )
    if isinstance(node, Readout):
        return bits
    return bits + sum(
        getattr(node.descale, field).size * getattr(arithmetic, width)
        for field, width in DESCALE_WIDTH_OF.items()
    )
