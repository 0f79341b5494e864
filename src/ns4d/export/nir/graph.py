"""A chain of real maps as a NIR graph: only primitives that the standard defines.

A linear map is an Affine node. The complex recurrence x' = a x + b u becomes two leaky integrators
per mode that drive each other. NIR defines LI as τ v̇ = (v_leak - v) + R I. A forward Euler step of
length 1 of it, with v_leak = 0 and R = τ, is v' = (1 - 1/τ) v + I, so with

    τ = 1 / (1 - a_re)                                                                       (1)
    x_re   LI,  I = Re b·u - a_im·x_im                                                       (2)
    x_im   LI,  I = Im b·u + a_im·x_re                                                       (3)

one such step of the coupled system is one token of the recurrence, exactly: (2) and (3) take the
states from before the step. The time unit of the graph is one token. A reader that steps otherwise
than by forward Euler with dt = 1 gets another filter.

    y      = Re c·x_re - Im c·x_im + d·u: three edges into one node, which adds them          (4)
    scores I (integrator) of W m + bias over the tokens: T times the mean's scores            (5)

NIR has no ReLU. Where one belongs stands Threshold(0), the step function H, with the metadata
`function = "relu"`: the reader must put v·H(v) there. Where no ReLU belongs stands Scale(1).

Names: a link "layer0.s4d" of the chain ends in the node of that name; what leads to it is
"layer0.s4d.x_re" and so on.
"""

from __future__ import annotations

import nir
import numpy as np

from ns4d.errors import ConfigError
from ns4d.export.chain import Activation, Chain, LayerNorm, Linear, Link, Recurrence, Sum

RELU = {"function": "relu"}


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
    """(1) to (4); returns what (4) adds."""
    _require_leaky(link)
    name, turn = link.name, np.imag(link.a).ravel()
    tau = 1 / (1 - np.real(link.a).ravel())
    for part, b in (("re", np.real(link.b)), ("im", np.imag(link.b))):
        made.add(f"{name}.x_{part}", nir.LI(tau, tau.copy(), np.zeros_like(tau)))
        if b.any():
            made.add(f"{name}.b_{part}", nir.Linear(_spread(b)), u)
            made.edges.append((f"{name}.b_{part}", f"{name}.x_{part}"))
    for part, factor, source in (("re", -turn, "im"), ("im", turn, "re")):
        made.add(f"{name}.turn_{part}", nir.Scale(factor), f"{name}.x_{source}")
        made.edges.append((f"{name}.turn_{part}", f"{name}.x_{part}"))
    return [
        made.add(f"{name}.c_re", nir.Linear(_spread(np.real(link.c)).T), f"{name}.x_re"),
        made.add(f"{name}.c_im", nir.Linear(-_spread(np.imag(link.c)).T), f"{name}.x_im"),
        made.add(f"{name}.d", nir.Scale(link.d), u),
    ]


def _spread(values: np.ndarray) -> np.ndarray:
    """The (h·n, h) matrix that takes channel h to its modes with these (h, n) weights."""
    channels, modes = values.shape
    spread = np.zeros((channels, modes, channels))
    spread[np.arange(channels), :, np.arange(channels)] = values
    return spread.reshape(channels * modes, channels)


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
