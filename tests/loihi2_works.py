"""Small work for the cost model, by hand and at random; costs that are easy to reckon with."""

from __future__ import annotations

import numpy as np

from ns4d.loihi2.costs import COSTS, Costs
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import period
from ns4d.loihi2.work import Cluster, Work

# Seconds and joules of such sizes add up without rounding.
PLAIN: Costs = COSTS.at(
    step_floor_s=1024.0,
    state_update_s=8.0,
    update_s=2.0,
    synop_s=1.0,
    static_w=0.5,
    state_update_j=16.0,
    update_j=4.0,
    synop_j=2.0,
    spike_j=1.0,
    link_bits_per_s=4.0,
    header_bits=4.0,
    crossing_s=32.0,
    link_j_per_bit=0.25,
)
STAGES = (Kind.INPUT, Kind.DENSE, Kind.STATE, Kind.REDUCE, Kind.DENSE, Kind.READOUT)


def cluster(
    stage: int,
    core: int,
    neurons: int = 1,
    kind: Kind | None = None,
    chip: int = 0,
    reach: tuple[int, int] | None = None,
) -> Cluster:
    """Neurons of the stage's usual kind, heard on their own chip alone."""
    chosen = STAGES[min(stage, len(STAGES) - 1)] if kind is None else kind
    return Cluster(f"p{stage}", chosen, stage, core, chip, neurons, reach or (chip, chip))


def constant(
    clusters: list[Cluster], spikes: list[float], synops: list[float], tokens: int
) -> Work:
    """The same work for every token."""
    return Work(tuple(clusters), np.array([spikes]), np.array([synops]), 12).mean(tokens)


def random_work(seed: int, tokens: int = 5, chips: int = 1) -> Work:
    """Stages split over a few cores, some of which several stages share."""
    rng = np.random.default_rng(seed)
    clusters = []
    for stage in range(len(STAGES)):
        for core in rng.choice(6, size=int(rng.integers(1, 4)), replace=False).tolist():
            chip = core * chips // 6
            heard = sorted({chip, *rng.integers(0, chips, size=2).tolist()})
            neurons, ends = int(rng.integers(1, 9)), (heard[0], heard[-1])
            clusters.append(cluster(stage, core, neurons, chip=chip, reach=ends))
    shape = (tokens, len(clusters))
    synops = rng.integers(0, 100, shape) * [c.stage > 0 for c in clusters]
    return Work(tuple(clusters), rng.integers(0, 9, shape), synops, 12)


def slow_steps(work: Work, mode: Mode, costs: Costs) -> list[float]:
    """Equation (1) of `timing` step by step, core by core, token by token, link by link."""
    every = period(work, mode)
    return [
        costs.step_floor_s.value
        + max(_fullest_core(work, every, step, costs), _fullest_link(work, every, step, costs))
        for step in range((work.tokens - 1) * every + work.last_stage + 1)
    ]


def _fullest_core(work: Work, every: int, step: int, costs: Costs) -> float:
    busy: dict[int, float] = {}
    for s, one in enumerate(work.clusters):
        each = costs.state_update_s if one.kind is Kind.STATE else costs.update_s
        for token in range(work.tokens):
            load = 0.0
            if step == token * every + one.stage:
                load += one.neurons * each.value
            if one.stage and step == token * every + one.stage - 1:
                load += work.synops[token, s] * costs.synop_s.value
            busy[one.core] = busy.get(one.core, 0.0) + load
    return max(busy.values())


def _fullest_link(work: Work, every: int, step: int, costs: Costs) -> float:
    bits: dict[tuple[int, int], float] = {}
    for s, one in enumerate(work.clusters):
        for token in range(work.tokens):
            if step == token * every + one.stage:
                size = work.spikes[token, s] * (costs.header_bits.value + work.message_bits)
                for chip in range(one.chip, one.reach[1]):
                    bits[chip, chip + 1] = bits.get((chip, chip + 1), 0.0) + size
                for chip in range(one.chip, one.reach[0], -1):
                    bits[chip, chip - 1] = bits.get((chip, chip - 1), 0.0) + size
    most = max(bits.values(), default=0.0)
    return most / costs.link_bits_per_s.value + (costs.crossing_s.value if most else 0.0)
