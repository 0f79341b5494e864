"""A network as a chain of maps on real numbers: what the float formats take.

    linear       y = φ(W m + bias)                                                        (1)
    recurrence   x[k] = a x[k-1] + b u[k];  y = φ(Re Σ_n c x[k] + d u[k]),  c is 2C       (2)
    sum          y = φ(weight·m + skip·s), s from an earlier node                         (3)
    layer norm   y = weight·(m - mean) / √(variance + ε) + bias, over the channels        (4)
    scores       of the mean over all tokens:  W mean(m) + bias                           (5)

`chain_of` gives what a program computes when nothing is rounded, clipped or saturated, in its own
units: states and messages are those of the program, to within the rounding. A trained network
becomes a chain in `ns4d.trained`.

Axes      i in, o out, h channel, n stored mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Complex128, Float64

from ns4d.errors import ConfigError
from ns4d.program import S4D, Add, Dense, Descale, Node, Program


class Activation(Enum):
    """φ; `GLU` halves the channels: the first half times the sigmoid of the second."""

    NONE = "none"
    RELU = "relu"
    GELU = "gelu"
    GLU = "glu"


@dataclass(frozen=True, eq=False)
class Linear:
    """(1)."""

    name: str
    weight: Float64[np.ndarray, "o i"]
    bias: Float64[np.ndarray, " o"]
    activation: Activation = Activation.NONE


@dataclass(frozen=True, eq=False)
class Recurrence:
    """(2), from the zero state."""

    name: str
    a: Complex128[np.ndarray, "h n"]
    b: Complex128[np.ndarray, "h n"]
    c: Complex128[np.ndarray, "h n"]
    d: Float64[np.ndarray, " h"]
    activation: Activation = Activation.NONE


@dataclass(frozen=True, eq=False)
class Sum:
    """(3); `source` names the earlier node."""

    name: str
    source: str
    weight: Float64[np.ndarray, " h"]
    skip: Float64[np.ndarray, " h"]
    activation: Activation = Activation.NONE


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """(4)."""

    name: str
    weight: Float64[np.ndarray, " h"]
    bias: Float64[np.ndarray, " h"]
    epsilon: float


Link = Linear | Recurrence | Sum | LayerNorm


@dataclass(frozen=True, eq=False)
class Chain:
    """The whole network.

    Args:
        offset, scale: (i,) a raw token x enters as (x - offset) / scale.
        links: In order; each takes what the one before gives.
        readout: (5).
        task: What the network does.
        classes: Names, in the order of the scores.
        program: The integers that this stands for, if any.
    """

    offset: Float64[np.ndarray, " i"]
    scale: Float64[np.ndarray, " i"]
    links: tuple[Link, ...]
    readout: Linear
    task: str
    classes: tuple[str, ...]
    program: Program | None = None

    @property
    def inputs(self) -> int:
        """Values per token."""
        return len(self.offset)

    @property
    def recurrent(self) -> tuple[Recurrence, ...]:
        """The links that hold a state, in order."""
        return tuple(link for link in self.links if isinstance(link, Recurrence))

    def require(self, where: str, *allowed: Activation) -> None:
        """Refuse what a format has no node for.

        Args:
            where: The format, for the error.
            allowed: The activations that it can express; layer normalization it cannot.

        Raises:
            ConfigError: Naming the link.
        """
        for link in self.links:
            what = "layer norm" if isinstance(link, LayerNorm) else link.activation.value
            if isinstance(link, LayerNorm) or link.activation not in allowed:
                raise ConfigError(
                    f"{where}, node '{link.name}'",
                    expected=f"an activation of {', '.join(a.value for a in allowed)}",
                    got=what,
                    fix="Export this network to ONNX, or train one with ReLU and no layer norm.",
                )


def chain_of(program: Program) -> Chain:
    """What a program computes in real numbers, with each descaling in the parameters before it."""
    return Chain(
        program.input.offset,
        program.input.scale,
        tuple(_link(node) for node in program.nodes),
        Linear("readout", program.readout.weight.astype(float), program.readout.bias.astype(float)),
        program.metadata.task,
        program.classes,
        program,
    )


def _link(node: Node) -> Link:
    gain = _gain(node.descale)
    activation = Activation.RELU if node.descale.relu else Activation.NONE
    if isinstance(node, Dense):
        return Linear(node.name, gain[:, None] * node.weight, gain * node.bias, activation)
    if isinstance(node, Add):
        return Sum(node.name, node.source, gain * node.weight, gain * node.skip, activation)
    return Recurrence(node.name, *_coefficients(node, gain), activation)


def _coefficients(
    node: S4D, gain: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    a = (node.a_re + 1j * node.a_im) * 0.5**node.a_shift
    b = (node.b_re + 1j * node.b_im) * 0.5 ** node.b_shift[:, None]
    c = (node.c_re + 1j * node.c_im) * (gain * 0.5**node.c_shift)[:, None]
    return a, b, c, gain * node.d * 0.5**node.d_shift


def _gain(descale: Descale) -> np.ndarray:
    return descale.multiplier * 0.5**descale.shift
