"""How often a program clips on given data: states (1), (2) of its equations, messages (4).

A certified program never clips a state. A calibrated one may, and this says how often it does. The
engine says what every node sends; each node is then computed once more by the equations of the
reference engine, which have what was there before the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from ns4d.data import Split
from ns4d.engines import Engine, trace
from ns4d.engines.reference import NEURON, accumulate
from ns4d.numerics import SYNAPSE_SHIFT, Arithmetic, saturate
from ns4d.program import S4D, Add, Dense, Descale, Program


@dataclass(frozen=True)
class NodeSaturation:
    """Counts of one node over all valid tokens.

    Args:
        name: The node.
        states_clipped: State components that left their width and were clipped.
        states: How many were computed.
        messages_clipped: Messages clipped at their limit; a ReLU's zeros do not count.
        messages: How many were computed.
    """

    name: str
    states_clipped: int
    states: int
    messages_clipped: int
    messages: int


def count_saturation(
    program: Program, split: Split, engine: Engine | None = None
) -> tuple[NodeSaturation, ...]:
    """Run a program over sequences and count what is clipped.

    Args:
        program: What to run.
        split: Raw sequences; padding does not count.
        engine: What computes the messages; the default engine if None.

    Returns:
        One entry per node, in order.
    """
    tokens = split.tokens.astype(np.float64)
    sent = trace(program, tokens, engine)
    valid = np.arange(tokens.shape[1]) < split.lengths[:, None]
    before, counts = program.quantize_input(tokens), []
    for node in program.nodes:
        states, clipped = 0, 0
        if isinstance(node, Dense):
            rows = before.reshape(-1, node.inputs)
            v = accumulate(node.weight, rows).reshape(*valid.shape, -1) + node.bias
        elif isinstance(node, Add):
            v = node.weight * before + node.skip * sent[node.source]
        else:
            v, clipped = _neuron(program.arithmetic, node, before, valid)
            states = 2 * node.a_re.size * int(valid.sum())
        over = _over(program.arithmetic, node.descale, v) & valid[..., None]
        messages = node.outputs * int(valid.sum())
        counts.append(NodeSaturation(node.name, clipped, states, int(over.sum()), messages))
        before = sent[node.name]
    return tuple(counts)


def _neuron(
    arithmetic: Arithmetic, node: S4D, u: Int64[np.ndarray, "b l h"], valid: Bool[np.ndarray, "b l"]
) -> tuple[Int64[np.ndarray, "b l h"], int]:
    update, reduce = NEURON[arithmetic.product_rounding]
    x_re = x_im = np.zeros((len(u), *node.a_re.shape), np.int64)
    v, clipped = np.empty_like(u), 0
    for t in range(u.shape[1]):
        wide = update(node, x_re, x_im, u[:, t])
        x_re, x_im = (saturate(part, arithmetic.state_bits) for part in wide)
        for before, after in zip(wide, (x_re, x_im), strict=True):
            clipped += int((before != after)[valid[:, t]].sum())
        v[:, t] = reduce(node, x_re, x_im, u[:, t])
    return v, clipped


def _over(
    arithmetic: Arithmetic, descale: Descale, v: Int64[np.ndarray, "b l o"]
) -> Bool[np.ndarray, "b l o"]:
    shifted = SYNAPSE_SHIFT[arithmetic.synapse_rounding](v * descale.multiplier, descale.shift)
    too_low = (shifted < -descale.limit) & (not descale.relu)
    return (shifted > descale.limit) | too_low
