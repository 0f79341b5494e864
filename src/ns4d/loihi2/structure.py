"""A network as sizes alone, for questions of the kind "what if": placed, priced, never trained.

The placement needs a program, so one is built with the sizes and with all weights at one. The work
then follows from how many messages are non-zero, which is given rather than counted: each synapse
is used as often as its sender speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ns4d.errors import ConfigError, PlacementError
from ns4d.loihi2.chip import SYSTEMS, System
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.place import place
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.work import Work, clusters_of
from ns4d.numerics import LOIHI2
from ns4d.program import S4D, Dense, Descale, InputQuantizer, Metadata, Node, Program, Readout


@dataclass(frozen=True)
class Structure:
    """An n-S4D network as the chip sees it.

    Args:
        inputs, channels, modes, layers, classes: Sizes; a mode is one complex state.
        s4d_neurons_per_core: At most so many S4D neurons on a core.
        state_density: Share of the S4D neurons' messages that are not zero, 0..1.
        relu_density: The same for messages behind a ReLU.
        message_bits: Width of a message; it is only felt between chips.

    Raises:
        ConfigError: A size below 1, or a share outside 0..1.
    """

    inputs: int
    channels: int
    modes: int
    layers: int
    classes: int
    s4d_neurons_per_core: int
    state_density: float
    relu_density: float
    message_bits: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            share = name.endswith("density")
            if not (0 <= value <= 1 if share else value >= 1):
                raise ConfigError(
                    f"structure {name}",
                    expected="0 to 1" if share else "at least 1",
                    got=str(value),
                    fix="Give sizes and shares of a network that could exist.",
                )

    def program(self) -> Program:
        """A legal program of these sizes."""
        h = self.channels
        nodes: list[Node] = [Dense("encoder", _ones(h, self.inputs), _zeros(h), _descale(h))]
        for k in range(self.layers):
            nodes.append(_s4d(f"layer{k}.s4d", h, self.modes))
            nodes.append(Dense(f"layer{k}.linear", _ones(h, h), _zeros(h), _descale(h)))
        quantizer = InputQuantizer(np.zeros(self.inputs), np.ones(self.inputs))
        names = tuple(f"class {k}" for k in range(self.classes))
        readout = Readout(_ones(self.classes, h), _zeros(self.classes))
        return Program(LOIHI2, quantizer, tuple(nodes), readout, Metadata("what-if", names))

    def place(self, systems: Sequence[System] = tuple(SYSTEMS.values())) -> Placement:
        """On the first system that holds it.

        Args:
            systems: The smallest first.

        Raises:
            PlacementError: None does.
        """
        program, error = self.program(), None
        for system in systems:
            try:
                return place(program, self._on(system))
            except PlacementError as refused:
                error = refused
        assert error is not None
        raise error

    def work(self, placement: Placement, tokens: int = 1) -> Work:
        """What each token asks of a placement of this structure, on average.

        Args:
            placement: From `place`.
            tokens: How many equal ones.
        """
        clusters = clusters_of(placement)
        density = np.array([self._density(cluster.kind) for cluster in clusters])
        # The encoder has no ReLU.
        density[[cluster.name == "encoder" for cluster in clusters]] = 1.0
        by_stage = {c.stage: d for c, d in zip(clusters, density.tolist(), strict=True)}
        heard = np.array([by_stage.get(cluster.stage - 1, 0.0) for cluster in clusters])
        spikes = density * [cluster.neurons for cluster in clusters]
        synops = heard * placement.synapses
        return Work(clusters, spikes[None], synops[None], self.message_bits).mean(tokens)

    def _density(self, kind: Kind) -> float:
        if kind is Kind.READOUT:
            return 0.0
        if kind is Kind.INPUT:
            return 1.0
        return self.state_density if kind is Kind.STATE else self.relu_density

    def _on(self, system: System) -> System:
        most = Fact(self.s4d_neurons_per_core, "neurons", "what if", Tag.ASSUMED)
        return replace(system, chip=replace(system.chip, s4d_neurons_per_core=most))


def structure_of(program: Program, work: Work, s4d_neurons_per_core: int) -> Structure:
    """The structure of a program with the densities that were counted.

    Args:
        program: What ran; of several S4D nodes the first one gives the sizes.
        work: What was counted.
        s4d_neurons_per_core: Of its placement.

    Raises:
        ConfigError: It has no S4D node.
    """
    if not program.recurrent:
        raise ConfigError(
            "--what-if",
            expected="a program with an S4D node",
            got="none",
            fix="Ask about a program that ns4d quantized.",
        )
    first = program.recurrent[0]
    return Structure(
        inputs=program.inputs,
        channels=first.inputs,
        modes=first.modes,
        layers=len(program.recurrent),
        classes=len(program.classes),
        s4d_neurons_per_core=s4d_neurons_per_core,
        state_density=_counted(work, Kind.STATE),
        relu_density=_counted(work, Kind.REDUCE, Kind.DENSE),
        message_bits=program.arithmetic.message_bits,
    )


def _counted(work: Work, *kinds: Kind) -> float:
    chosen = [s for s, c in enumerate(work.clusters) if c.kind in kinds and c.name != "encoder"]
    neurons = sum(work.clusters[s].neurons for s in chosen)
    return float(work.spikes[:, chosen].sum()) / (neurons * work.tokens) if neurons else 1.0


def _s4d(name: str, channels: int, modes: int) -> S4D:
    one, zero = _ones(channels, modes), np.zeros((channels, modes), np.int64)
    shift = np.full(channels, 24)
    return S4D(
        name,
        one,
        zero,
        one,
        zero,
        one,
        zero,
        _zeros(channels),
        15,
        shift,
        shift,
        shift,
        _descale(channels),
    )


def _descale(channels: int) -> Descale:
    ones = _ones(channels, 1)[:, 0]
    return Descale(ones, 0, ones, relu=True)


def _ones(rows: int, columns: int) -> np.ndarray:
    return np.ones((rows, columns), np.int64)


def _zeros(size: int) -> np.ndarray:
    return np.zeros(size, np.int64)
