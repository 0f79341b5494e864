"""A chain of real maps, token by token in NumPy: what the exported float networks must compute."""

from __future__ import annotations

import numpy as np

from ns4d.export.chain import Activation, Chain, LayerNorm, Linear, Link, Recurrence
from ns4d.numerics import LOIHI2, Arithmetic
from ns4d.program import Program
from program_strategies import random_program


def walk(chain: Chain, tokens: np.ndarray) -> np.ndarray:
    """The sum of the scores (l, classes) after every token of (l, i)."""
    x = {link.name: np.zeros(link.a.shape, complex) for link in chain.recurrent}
    total, after = np.zeros(len(chain.classes)), []
    for token in tokens:
        m, sent = (token - chain.offset) / chain.scale, {}
        for link in chain.links:
            m = sent[link.name] = value_of(link, m, sent, x)
        total = total + chain.readout.weight @ m + chain.readout.bias
        after.append(total)
    return np.array(after)


def value_of(
    link: Link, m: np.ndarray, sent: dict[str, np.ndarray], x: dict[str, np.ndarray]
) -> np.ndarray:
    """What a link gives; its state changes."""
    assert not isinstance(link, LayerNorm)
    if isinstance(link, Linear):
        v = link.weight @ m + link.bias
    elif isinstance(link, Recurrence):
        x[link.name] = link.a * x[link.name] + link.b * m[:, None]
        v = np.real(link.c * x[link.name]).sum(1) + link.d * m
    else:
        v = link.weight * m + link.skip * sent[link.source]
    return np.maximum(v, 0) if link.activation is Activation.RELU else v


def programs() -> list[Program]:
    """A few that differ in everything that a float format sees."""
    kinds: list[tuple[int, Arithmetic, dict[str, object]]] = [
        (0, LOIHI2, {"inputs": 2, "residual": True, "layers": 2}),
        (1, LOIHI2, {"uniform": True, "modes": 5}),
        (2, LOIHI2, {"inputs": 3, "layers": 0}),
    ]
    return [random_program(np.random.default_rng(k), a, **kind) for k, a, kind in kinds]  # type: ignore[arg-type]
