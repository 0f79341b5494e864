"""How long the steps of the chip take; what they wait for.

    T_step = F + max( max over cores Σ (updates·t_n + synops·t_s), max over links bits / rate )  (1)

A core is busy with the neurons that act in a step, and with the messages sent in it to the
neurons that act in the next: it adds them up as they come, and the barrier waits for both. So

    fall-through   stage g works for token t in step t·P + g,  P = steps per token               (2)
    pipelined      stage g works for token t in step t + g                                       (3)

and its synaptic operations fall in the step before. In (3) every layer is busy in every step but
the first and the last few, so the fullest core sets the pace.

Neurons that do not act in a step cost nothing beyond the floor F: it was measured on networks whose
neurons are idle, and S4D neurons must be gated in fall-through mode to update once per token.

Axes      k step, l token, s cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ns4d.loihi2.costs import Costs
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.work import Cluster, Work

Steps = Float64[np.ndarray, " k"]


@dataclass(frozen=True, eq=False)
class Timing:
    """The steps of one stream.

    Args:
        mode: When tokens entered.
        work: What was done.
        floor_s: F of (1), once per step.
        updates_s, synops_s: Of the fullest core of each step; (k,).
        links_s: What the step waits longer for links than for that core; (k,).
        core: The fullest core of each step, -1 where none has anything to do; int64 (k,).
    """

    mode: Mode
    work: Work
    floor_s: float
    updates_s: np.ndarray
    synops_s: np.ndarray
    links_s: np.ndarray
    core: np.ndarray

    @property
    def step_s(self) -> Steps:
        """(1) for every step."""
        return self.floor_s + self.updates_s + self.synops_s + self.links_s

    @property
    def latency_s(self) -> float:
        """From the first token's entry to the last one's result, the drain included."""
        return float(self.step_s.sum())

    @property
    def token_s(self) -> float:
        """From one token's entry to the next one's, in the middle of a stream."""
        return float(self.step_s[self.steady].sum()) / self._entries

    @property
    def tokens_per_s(self) -> float:
        """While tokens keep coming: without the drain."""
        return 1 / self.token_s

    @property
    def samples_per_s(self) -> float:
        """Streams of this length, one right behind the other."""
        return 1 / (self.token_s * self.work.tokens)

    @property
    def steady(self) -> slice:
        """The steps that stand for the middle of a stream.

        Fall-through: the steps of all tokens but the first and the last, because input and read-out
        also work for the neighbours; of all tokens if there are no others. Pipelined: those in
        which every stage has a token; the longest one if the stream is too short for any.
        """
        last, tokens, each = self.work.last_stage, self.work.tokens, self.work.steps_per_token
        if self.mode is Mode.FALL_THROUGH:
            ends = 1 if tokens > 2 else 0
            return slice(1 + ends * each, 1 + (tokens - ends) * each)
        if tokens > last:
            return slice(last, tokens)
        longest = int(self.step_s.argmax())
        return slice(longest, longest + 1)

    @property
    def causes_s(self) -> dict[str, float]:
        """`token_s` by what the chip waits for."""
        steps = self.step_s[self.steady]
        parts = {"neurons": self.updates_s, "synapses": self.synops_s, "links": self.links_s}
        return {"barrier and floor": self.floor_s * len(steps) / self._entries} | {
            name: float(part[self.steady].sum()) / self._entries for name, part in parts.items()
        }

    @property
    def _entries(self) -> int:
        """How many tokens entered in the steady steps."""
        every = self.work.steps_per_token if self.mode is Mode.FALL_THROUGH else 1
        return len(self.step_s[self.steady]) // every


def period(work: Work, mode: Mode) -> int:
    """Steps from one token's entry to the next one's: (2), (3)."""
    return work.steps_per_token if mode is Mode.FALL_THROUGH else 1


def time_steps(work: Work, mode: Mode, costs: Costs) -> Timing:
    """Walk the work through the steps of a mode.

    Args:
        work: What is to be done.
        mode: When tokens enter.
        costs: What each piece of it takes.

    Returns:
        The length of every step, by cause.
    """
    every = period(work, mode)
    steps = (work.tokens - 1) * every + work.last_stage + 1
    updates, synops = np.zeros(steps), np.zeros(steps)
    fullest = np.full(steps, -1)
    for core, mine in work.by_core.items():
        busy = _core(work, mine, every, steps, costs)
        fuller = busy.sum(axis=0) > updates + synops
        updates[fuller], synops[fuller] = busy[:, fuller]
        fullest[fuller] = core
    links = link_times(work, every, steps, costs)
    waits = np.maximum(links - updates - synops, 0)
    return Timing(mode, work, costs.step_floor_s.value, updates, synops, waits, fullest)


def update_s(cluster: Cluster, costs: Costs) -> float:
    """Seconds in which all neurons of a cluster update once."""
    each = costs.state_update_s if cluster.kind is Kind.STATE else costs.update_s
    return cluster.neurons * each.value


def _core(
    work: Work, mine: list[int], every: int, steps: int, costs: Costs
) -> Float64[np.ndarray, "2 k"]:
    """Seconds of one core in each step: with updates, with synaptic operations."""
    busy = np.zeros((2, steps))
    span = (work.tokens - 1) * every + 1
    for s in mine:
        cluster = work.clusters[s]
        stage = cluster.stage
        busy[0, stage : stage + span : every] += update_s(cluster, costs)
        if stage:
            busy[1, stage - 1 : stage - 1 + span : every] += work.synops[:, s] * costs.synop_s.value
    return busy


def link_times(work: Work, every: int, steps: int, costs: Costs) -> Steps:
    """Seconds that the fullest link takes in each step; zeros on one chip.

    Chips stand in a row with one link between neighbours. A message goes once over each link on its
    way to the farthest chip that hears it: Loihi 2 spreads it to cores where it arrives.
    """
    fullest, span = np.zeros(steps), (work.tokens - 1) * every + 1
    for crossing in crossings(work).values():
        bits = np.zeros(steps)
        for s in crossing:
            stage = work.clusters[s].stage
            bits[stage : stage + span : every] += work.spikes[:, s] * message_size(work, costs)
        np.maximum(fullest, bits, out=fullest)
    waiting = np.where(fullest > 0, costs.crossing_s.value, 0.0)
    return fullest / costs.link_bits_per_s.value + waiting


def crossings(work: Work) -> Mapping[tuple[int, int], list[int]]:
    """The clusters whose messages go over each link, from a chip to one beside it."""
    found: dict[tuple[int, int], list[int]] = {}
    for s, cluster in enumerate(work.clusters):
        low, high = cluster.reach
        for chip in range(cluster.chip, high):
            found.setdefault((chip, chip + 1), []).append(s)
        for chip in range(cluster.chip, low, -1):
            found.setdefault((chip, chip - 1), []).append(s)
    return found


def message_size(work: Work, costs: Costs) -> float:
    """Bits of a message between chips."""
    return float(costs.header_bits.value + work.message_bits)
