"""What a stream costs in joules, by cause.

    E = p·chips·T + updates·e_n + synops·e_s + spikes·e_x + bits over links · e_b                (4)

p, the static power of a chip, falls due for every second whatever happens, so the mode matters: in
fall-through mode most of the energy is the power of a chip that waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from ns4d.loihi2.costs import Costs
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import Timing, crossings, message_size
from ns4d.loihi2.work import Work


@dataclass(frozen=True)
class Energy:
    """Of a whole stream, in joules.

    Args:
        tokens: Of the stream.
        power_w: p·chips.
        static_j: p·chips·T, the drain included.
        static_token_j: p·chips for one token in the middle of a stream.
        state_updates_j: S4D neurons.
        updates_j: All other neurons.
        synops_j: Synaptic operations.
        spikes_j: Messages inside chips.
        links_j: Messages between chips.
    """

    tokens: int
    power_w: float
    static_j: float
    static_token_j: float
    state_updates_j: float
    updates_j: float
    synops_j: float
    spikes_j: float
    links_j: float

    @property
    def dynamic_j(self) -> float:
        """All but the static part."""
        parts = (self.state_updates_j, self.updates_j, self.synops_j, self.spikes_j, self.links_j)
        return sum(parts)

    @property
    def sample_j(self) -> float:
        """(4)."""
        return self.static_j + self.dynamic_j

    @property
    def token_j(self) -> float:
        """Of one token in the middle of a stream."""
        return self.static_token_j + self.dynamic_j / self.tokens

    @property
    def causes_j(self) -> dict[str, float]:
        """`token_j` by cause."""
        parts = {
            "S4D neurons": self.state_updates_j,
            "other neurons": self.updates_j,
            "synapses": self.synops_j,
            "spikes": self.spikes_j,
            "links": self.links_j,
        }
        return {"static power": self.static_token_j} | {
            name: part / self.tokens for name, part in parts.items()
        }


def price(timing: Timing, costs: Costs) -> Energy:
    """(4) for a timed stream.

    Args:
        timing: From `time_steps`, with the same costs.
        costs: What each piece of work takes.

    Returns:
        Joules by cause.
    """
    work = timing.work
    power = costs.static_w.value * work.chips
    return Energy(
        tokens=work.tokens,
        power_w=power,
        static_j=power * timing.latency_s,
        static_token_j=power * timing.token_s,
        state_updates_j=work.tokens * work.neurons(Kind.STATE) * costs.state_update_j.value,
        updates_j=work.tokens * work.neurons(*OTHERS) * costs.update_j.value,
        synops_j=float(work.synops.sum()) * costs.synop_j.value,
        spikes_j=float(work.spikes.sum()) * costs.spike_j.value,
        links_j=_bits(work, costs) * costs.link_j_per_bit.value,
    )


OTHERS = tuple(kind for kind in Kind if kind is not Kind.STATE)


def _bits(work: Work, costs: Costs) -> float:
    """Over all links, each counted."""
    messages = work.spikes.sum(axis=0)
    crossing = sum(float(messages[parts].sum()) for parts in crossings(work).values())
    return crossing * message_size(work, costs)
