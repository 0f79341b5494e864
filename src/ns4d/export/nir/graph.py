"""A chain of real maps as a NIR graph: only primitives that the standard defines.

A linear map is an Affine node. The complex modes of some channels become one population of leaky
integrators, v = (Re x, Im x), with a linear map from itself to itself. NIR defines LI as
τ v̇ = (v_leak - v) + R I. A forward Euler step of length 1 of it, with v_leak = 0 and R = τ, is
v' = (1 - 1/τ) v + I. So one step is one token of x' = a x + b u, exactly, with

    τ = 1 / (1 - Re a),  for the real and for the imaginary part                             (1)
    I = (Re b, Im b)·u + (-Im a·Im x, Im a·Re x)                                             (2)
    y = Σ_n Re c·Re x - Im c·Im x, plus d·u: edges into one node, which adds them            (3)
    scores: I, the integrator, of W m + bias: T times the scores of the mean over T tokens   (4)

The second term of (2) comes by an edge that closes a cycle: it brings v from the step before, as
recurrent edges do in every simulator in discrete time. One population for both parts, not one for
the real and one for the imaginary: those would drive each other in a cycle of two nodes, of which a
simulator may update one from the other's new value. The time unit of the graph is one
token. A reader that steps otherwise than by forward Euler with dt = 1 gets another filter.

NIR has no ReLU. Where one belongs stands Threshold(0), the step function H, with the metadata
`function = "relu"`: the reader must put v·H(v) there. Where no ReLU belongs stands Scale(1).

Names: a link "layer0.s4d" of the chain ends in the node of that name; what leads to it is
"layer0.s4d.d", and for its first population "layer0.s4d.0.in", ".x" (LI), ".turn" and ".out".
"""

from __future__ import annotations

import nir
import numpy as np

from ns4d.errors import ConfigError
from ns4d.export.chain import Activation, Chain, LayerNorm, Linear, Link, Recurrence, Sum

RELU = {"function": "relu"}
# Neurons of a population, at most: the map from it to itself is a dense matrix.
POPULATION = 256


class _Network:
    """Collects nodes with their edges."""

    def __init__(self) -> None:
        self.nodes: dict[str, nir.NIRNode] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, name: str, node: nir.NIRNode, *before: str) -> str:
        self.nodes[name] = node
        self.edges += [(source, name) for source in before]
        return name


def to_graph(chain: Chain) -> nir.NIRGraph:
    """The graph, whose types agree.

    Args:
        chain: What to express.

    Returns:
        A graph from "input" (i,) to "output" (classes,).

    Raises:
        ConfigError: An activation or a mode that no NIR node expresses.
    """
    chain.require("--to nir", Activation.NONE, Activation.RELU)
    made = _Network()
    made.add("input", nir.Input({"input": np.array([chain.inputs])}))
    scaled = nir.Affine(np.diag(1 / chain.scale), -chain.offset / chain.scale)
    m = made.add("normalize", scaled, "input")
    for link in chain.links:
        m = _link(made, link, m)
    readout, classes = chain.readout, len(chain.classes)
    v = made.add("readout", nir.Affine(readout.weight, readout.bias), m)
    made.add("scores", nir.I(np.ones(classes)), v)
    made.add("output", nir.Output({"output": np.array([classes])}), "scores")
    return nir.NIRGraph(made.nodes, made.edges)


def _link(made: _Network, link: Link, m: str) -> str:
    assert not isinstance(link, LayerNorm)
    if isinstance(link, Linear):
        before = [made.add(f"{link.name}.affine", nir.Affine(link.weight, link.bias), m)]
    elif isinstance(link, Sum):
        before = [
            made.add(f"{link.name}.weight", nir.Scale(link.weight), m),
            made.add(f"{link.name}.skip", nir.Scale(link.skip), link.source),
        ]
    else:
        before = _recurrence(made, link, m)
    width = _width(link)
    if link.activation is Activation.RELU:
        return made.add(link.name, nir.Threshold(np.zeros(width), metadata=dict(RELU)), *before)
    return made.add(link.name, nir.Scale(np.ones(width)), *before)


def _recurrence(made: _Network, link: Recurrence, u: str) -> list[str]:
    """(1) to (3); returns what (3) adds."""
    _require_leaky(link)
    channels, modes = link.a.shape
    added = [made.add(f"{link.name}.d", nir.Scale(link.d), u)]
    for k, group in enumerate(_groups(channels, modes)):
        name, a = f"{link.name}.{k}", link.a[group].ravel()
        tau = np.tile(1 / (1 - np.real(a)), 2)
        # From a channel to its modes, and back.
        spread = np.repeat(np.eye(channels)[:, group], modes, axis=1)
        into, out = (spread * values[group].ravel() for values in (link.b, link.c))
        made.add(f"{name}.in", nir.Linear(np.vstack([np.real(into).T, np.imag(into).T])), u)
        x = made.add(f"{name}.x", nir.LI(tau, tau.copy(), np.zeros_like(tau)), f"{name}.in")
        turn = np.kron([[0, -1], [1, 0]], np.diag(np.imag(a)))
        made.add(f"{name}.turn", nir.Linear(turn), x)
        made.edges.append((f"{name}.turn", x))
        reduced = np.hstack([np.real(out), -np.imag(out)])
        added.append(made.add(f"{name}.out", nir.Linear(reduced), x))
    return added


def _groups(channels: int, modes: int) -> list[slice]:
    """Which channels share a population."""
    most = max(1, POPULATION // (2 * modes))
    return [slice(first, first + most) for first in range(0, channels, most)]


def _width(link: Linear | Recurrence | Sum) -> int:
    if isinstance(link, Linear):
        return len(link.bias)
    return len(link.d if isinstance(link, Recurrence) else link.weight)


def _require_leaky(link: Recurrence) -> None:
    bad = np.argwhere(np.real(link.a) >= 1)
    if bad.size:
        h, n = (int(k) for k in bad[0])
        raise ConfigError(
            f"--to nir, node '{link.name}', channel {h}, mode {n}",
            expected="a real part of a below 1, so that a leaky integrator has a time constant",
            got=str(link.a[h, n].real),
            fix="Export to ONNX or C, which take every program.",
        )
