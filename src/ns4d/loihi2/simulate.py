"""Runs a placed program step by step, as the chip does; counts what happens.

The results are those of every engine. What a mode changes is when things happen:

    fall-through   a token enters when the last node has sent the one before; a neuron is silent
                   in most steps, and its gate lets it act once per token all the same
    pipelined      a token enters in every step; each population works on another token. The gate
                   keeps neurons still before the first token has come, and after the last one

Counts are per token and slice: both modes give the same.

Axes      l token, i in, s slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int64

from ns4d.engines import State
from ns4d.engines.state import require_safe, require_state, zero_state
from ns4d.loihi2.activity import Activity
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.placement import Placement
from ns4d.loihi2.simulate_layout import Layout, lay_out
from ns4d.loihi2.simulate_streams import passage, streams_of
from ns4d.program.tokens import admit_tokens


@dataclass(frozen=True, eq=False)
class Simulation:
    """What came of a run.

    Args:
        mode: How tokens entered.
        scores: int64 (l, classes): the scores after every token.
        state: After the last one.
        activity: What was done for each token.
    """

    mode: Mode
    scores: Int64[np.ndarray, "l classes"]
    state: State
    activity: Activity

    @property
    def steps(self) -> int:
        """Time steps from the first token's entry until its last score was complete."""
        return self.mode.steps(self.activity.placement.program, self.activity.tokens)


def simulate(
    placement: Placement,
    tokens: np.ndarray,
    mode: Mode = Mode.FALL_THROUGH,
    state: State | None = None,
    *,
    gated: bool = True,
) -> Simulation:
    """Run one stream through a placed program.

    Args:
        placement: Where the program lives.
        tokens: (l, i) real numbers or messages.
        mode: When tokens enter.
        state: Of one stream, to go on from; zeros if None. The chip itself starts empty.
        gated: False shows what the gate is for: neurons then act in every step, as if they could
            not know whose turn it is. The scores are no longer those of the program.

    Returns:
        Scores, state and counts.

    Raises:
        ShapeError: Tokens or a state of the wrong shape.
        RangeError: An illegal token or state, or more tokens than the scores are proved safe for.
    """
    program = placement.program
    u = admit_tokens(program.arithmetic, program.input, tokens)
    before = zero_state(program, 1) if state is None else state
    require_state(program, before, 1)
    require_safe(program, before.tokens_seen + len(u))
    layout = layout_of(placement)
    streams, out = streams_of(layout, before), passage(layout, len(u), gated=gated)
    streams.run(0, u, mode.period(program), before.tokens_seen, out)
    after = streams.state(before.tokens_seen + len(u))
    return Simulation(mode, out.scores, after, Activity(placement, out.spikes, out.synops))


@lru_cache(maxsize=8)
def layout_of(placement: Placement) -> Layout:
    """Laid out once for all runs of a placement."""
    return lay_out(placement)
