"""The family of programs and inputs on which every engine must equal the reference.

A case is a function of its number. The dimensions are drawn independently, so that a run of some
hundreds meets every path of an engine in every combination that matters: profiles of wide and
narrow widths with both roundings of both kinds, channel counts around multiples of the width of a
vector, states that never, rarely, always saturate, b folded or not, residual adds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ns4d.numerics import LOIHI2, WIDE, SynapseRounding
from ns4d.program import Dense, Program
from program_strategies import ARITHMETICS, random_program, random_unchanged

PROFILES = (
    *ARITHMETICS,
    LOIHI2,
    WIDE,
    replace(LOIHI2, name="loihi2-half-up", synapse_rounding=SynapseRounding.HALF_UP),
    replace(WIDE, name="wide-floor", synapse_rounding=SynapseRounding.FLOOR, message_bits=24),
    replace(LOIHI2, name="broad", weight_bits=16, message_bits=24, accumulator_bits=40),
    replace(WIDE, name="coarse", weight_bits=2, message_bits=3, coefficient_bits=6, state_bits=8),
    replace(LOIHI2, name="fine", coefficient_bits=24, state_bits=32),
    replace(WIDE, name="fine-sums", coefficient_bits=20),
)
KINDS = ("random", "sparse", "zero", "largest", "smallest", "alternating", "impulse", "reals")


@dataclass(frozen=True, eq=False)
class Case:
    """One program with the sequences that go through it.

    Args:
        name: Enough to find it again.
        program: What runs.
        sequences: (b, l, i) messages or real numbers.
    """

    name: str
    program: Program
    sequences: np.ndarray


def case(number: int, streams: int = 24, tokens: int = 40) -> Case:
    """The case of that number.

    Args:
        number: Any integer from 0.
        streams, tokens: Size of the input; some cases have fewer of either.
    """
    rng = np.random.default_rng([4, number])
    profile = PROFILES[number % len(PROFILES)]
    sizes = {
        "inputs": int(rng.integers(1, 4)),
        "channels": int(rng.choice([1, 3, 7, 8, 9, 16, 17, 24, 33])),
        "modes": int(rng.integers(1, 6)),
        "layers": int(rng.integers(0, 4)),
        "classes": int(rng.integers(1, 12)),
    }
    kind = {
        "uniform": bool(rng.integers(0, 2)),
        "residual": bool(rng.integers(0, 2)),
        "saturating": rng.random() < 0.15,
        "excess": int(rng.choice([0, 0, 0, 1, 2, 4])),
    }
    with random_unchanged():
        program = _with_edges(rng, random_program(rng, profile, **sizes, **kind))
    how = KINDS[int(rng.integers(len(KINDS)))]
    shape = (int(rng.choice([1, 2, streams])), int(rng.choice([3, tokens, 3 * tokens])))
    sequences = _sequences(rng, how, profile.message_max, (*shape, program.inputs))
    return Case(f"{number}: {profile.name}, {sizes}, {kind}, {how}", program, sequences)


def _with_edges(rng: np.random.Generator, program: Program) -> Program:
    """Sometimes silent channels, a layer without weights, or a descaling that loses everything."""
    nodes = list(program.nodes)
    for k, node in enumerate(nodes):
        if rng.random() > 0.2:
            continue
        descale = node.descale
        limit = np.where(rng.random(node.outputs) < 0.3, 0, descale.limit)
        multiplier = np.where(rng.random(node.outputs) < 0.3, 0, descale.multiplier)
        nodes[k] = replace(node, descale=replace(descale, limit=limit, multiplier=multiplier))
        if isinstance(node, Dense) and rng.random() < 0.5:
            nodes[k] = replace(nodes[k], weight=np.zeros_like(node.weight))
    return replace(program, nodes=tuple(nodes))


def _sequences(
    rng: np.random.Generator, how: str, top: int, shape: tuple[int, int, int]
) -> np.ndarray:
    random = rng.integers(-top, top + 1, shape)
    if how == "sparse":
        return random * (rng.random(shape) < 0.1)
    if how == "alternating":
        return np.broadcast_to(top * (-1) ** np.arange(shape[1])[:, None], shape).copy()
    if how == "impulse":
        return np.concatenate([random[:, :1], np.zeros_like(random[:, 1:])], axis=1)
    if how == "reals":
        return rng.normal(0, 3, shape)
    constant = {"zero": 0, "largest": top, "smallest": -top}
    return np.full(shape, constant[how]) if how in constant else random
