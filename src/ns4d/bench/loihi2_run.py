"""A simulated run: placed, counted, compared with an engine, timed, priced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ns4d.engines import Engine, default_engine
from ns4d.errors import RangeError
from ns4d.loihi2.chip import System
from ns4d.loihi2.estimate import Estimate, estimate
from ns4d.loihi2.metrics import Metrics, metrics
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.simulate import Simulation, simulate
from ns4d.loihi2.work import Work, work_of
from ns4d.program import Program


@dataclass(frozen=True, eq=False)
class LayerCount:
    """What a population did per token, on average.

    Args:
        name, kind: Of the population.
        cores: Over how many it is spread.
        neurons: All of which update once per token.
        spikes: Non-zero messages.
        synops: Synaptic operations.
    """

    name: str
    kind: str
    cores: int
    neurons: int
    spikes: float
    synops: float

    @property
    def density(self) -> float:
        """Share of its messages that are not zero."""
        return self.spikes / self.neurons


@dataclass(frozen=True, eq=False)
class Run:
    """A program on the model of the chip.

    Args:
        simulation: The run in the mode asked for.
        source: Where its tokens come from.
        work: What it counted.
        estimates: For both modes: counts do not depend on the mode.
        metrics: NeuroBench's.
        engine: Which engine gave the same integers.
        values: How many integers were compared.
    """

    simulation: Simulation
    source: str
    work: Work
    estimates: Mapping[Mode, Estimate]
    metrics: Metrics
    engine: str
    values: int

    @property
    def program(self) -> Program:
        """What ran."""
        return self.simulation.activity.placement.program

    @property
    def mode(self) -> Mode:
        """The mode asked for."""
        return self.simulation.mode

    @property
    def layers(self) -> tuple[LayerCount, ...]:
        """By population, in order of the stages."""
        activity = self.simulation.activity
        placement = activity.placement
        spikes, synops = activity.spikes.mean(axis=0), activity.synops.mean(axis=0)
        found = []
        for index, population in enumerate(placement.populations):
            mine = [k for k, part in enumerate(placement.slices) if part.population == index]
            layer = LayerCount(
                population.name,
                population.kind.value,
                len({placement.slices[k].core for k in mine}),
                population.neurons,
                float(spikes[mine].sum()),
                float(synops[mine].sum()),
            )
            found.append(layer)
        return tuple(found)


def run(
    program: Program,
    tokens: np.ndarray,
    source: str,
    mode: Mode,
    system: System,
    cores: int | None = None,
    engine: Engine | None = None,
) -> Run:
    """Place, simulate, compare with an engine, time, price.

    Args:
        program: What runs.
        tokens: (l, i) real numbers or messages.
        source: Where they come from.
        mode: When they enter.
        system: Where.
        cores: As in `place`.
        engine: What the bits must equal; the default engine if None.

    Raises:
        PlacementError: It does not fit.
        ShapeError: Tokens of the wrong shape.
        RangeError: An illegal token, or an integer that differs from the engine's.
    """
    simulation = simulate(place(program, system, cores), tokens, mode)
    right = default_engine() if engine is None else engine
    values = require_equal(simulation, tokens, right)
    work = work_of(simulation.activity)
    return Run(
        simulation,
        source,
        work,
        {each: estimate(work, each) for each in Mode},
        metrics(simulation.activity),
        right.name,
        values,
    )


def require_equal(simulation: Simulation, tokens: np.ndarray, engine: Engine) -> int:
    """Compare scores after every token and the last state with an engine's.

    Returns:
        How many integers are equal: all.

    Raises:
        RangeError: One differs.
    """
    machine = engine.load(simulation.activity.placement.program, 1)
    scores = machine.advance(tokens[None])[0]
    wanted, got = machine.state.to_arrays(), simulation.state.to_arrays()
    pairs = [("scores", scores, simulation.scores)]
    pairs += [(name, wanted[name], got[name]) for name in wanted]
    for name, right, ours in pairs:
        if not np.array_equal(right, ours):
            raise RangeError(
                f"simulation, {simulation.mode.value}, {name}",
                expected=f"the integers of engine '{engine.name}'",
                got=f"{int((right != ours).sum())} others",
                fix="This is a bug of ns4d.loihi2; please report it with the program.",
            )
    return sum(right.size for _, right, _ in pairs)
