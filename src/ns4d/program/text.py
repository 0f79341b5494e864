"""A program as text, for reviews: what it computes with, what each node holds, what is proved."""

from __future__ import annotations

import numpy as np

from ns4d.numerics import Arithmetic
from ns4d.program.certificate import NodeRange
from ns4d.program.nodes import Add, Dense, Descale, Node
from ns4d.program.program import Program


def to_text(program: Program) -> str:
    """A description that is equal for equal programs and shows every scalar of it.

    Arrays appear with their smallest and largest element; the digest covers the rest.

    Args:
        program: What to describe.

    Returns:
        Lines of text, ending in a newline.
    """
    metadata = program.metadata
    lines = [
        f"program {program.digest}",
        f"task {metadata.task}; classes {', '.join(metadata.classes)}",
        *(f"provenance {k} = {v!r}" for k, v in sorted(metadata.provenance.items())),
        *_arithmetic(program.arithmetic),
        f"size {program.parameter_bytes} bytes of parameters",
        f"safe for {program.safe_tokens} tokens",
        f"input {program.inputs} -> {program.inputs}",
        *(
            f"  channel {k}: offset {float(offset)!r}, scale {float(scale)!r}"
            for k, (offset, scale) in enumerate(
                zip(program.input.offset, program.input.scale, strict=True)
            )
        ),
    ]
    for node, proved in zip(program.nodes, program.ranges, strict=False):
        lines += _node(node, proved)
    readout = program.readout
    lines += [
        f"readout {readout.inputs} -> {readout.outputs}",
        f"  weight {_span(readout.weight)}; bias {_span(readout.bias)}",
        _accumulator(program.ranges[-1]),
    ]
    return "\n".join(lines) + "\n"


def _arithmetic(arithmetic: Arithmetic) -> list[str]:
    widths = ", ".join(
        f"{name.removesuffix('_bits')} {getattr(arithmetic, name)}"
        for name in sorted(vars(arithmetic))
        if name.endswith("_bits")
    )
    return [
        f"arithmetic {arithmetic.name}",
        f"  bits: {widths}",
        f"  product {arithmetic.product_rounding.value}",
        f"  synapse {arithmetic.synapse_rounding.value}",
    ]


def _node(node: Node, proved: NodeRange) -> list[str]:
    if isinstance(node, Dense):
        body = [
            f"dense {node.name} {node.inputs} -> {node.outputs}",
            f"  weight {_span(node.weight)}; bias {_span(node.bias)}",
        ]
    elif isinstance(node, Add):
        body = [
            f"add {node.name} {node.inputs} + {node.source}",
            f"  weight {_span(node.weight)}; skip {_span(node.skip)}",
        ]
    else:
        body = [
            f"s4d {node.name} {node.inputs} x {node.modes} modes",
            *(
                f"  {k} re {_span(re)}, im {_span(im)}, shift {_span(np.asarray(shift))}"
                for k, re, im, shift in (
                    ("a", node.a_re, node.a_im, node.a_shift),
                    ("b", node.b_re, node.b_im, node.b_shift),
                    ("c", node.c_re, node.c_im, node.c_shift),
                )
            ),
            f"  d {_span(node.d)}, shift {_span(node.d_shift)}",
            *_states(proved),
        ]
    return [*body, _accumulator(proved), _descale(node.descale)]


def _states(proved: NodeRange) -> list[str]:
    if proved.states is None:
        return []
    return [
        f"  states within {proved.states.max()} of {proved.state_max}; "
        f"{proved.may_saturate} of {proved.states.size} may saturate"
    ]


def _accumulator(proved: NodeRange) -> str:
    return f"  accumulators within {proved.accumulator.max()} of {proved.accumulator_max}"


def _descale(descale: Descale) -> str:
    relu = "relu, " if descale.relu else ""
    return (
        f"  descale {relu}multiplier {_span(descale.multiplier)}, shift {descale.shift}, "
        f"limit {_span(descale.limit)}"
    )


def _span(array: np.ndarray) -> str:
    low, high = int(array.min()), int(array.max())
    return str(low) if low == high else f"{low}..{high}"
