"""What a run made the chip do, counted: updates, spikes, synaptic operations.

Messages do not depend on the mode, so the work for a token does not either; only when it is done.
Counts are therefore kept per token and slice, and `timing` lays them on the steps of a mode.

A slice's synaptic operations for a token are those by which it hears the messages of that token,
sent in the step before its own: cores accumulate while the senders still update, and the barrier
waits for both.

Axes      l token, s slice of the placement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ns4d.loihi2.placement import Placement


@dataclass(frozen=True, eq=False)
class Activity:
    """Counts of one stream.

    Args:
        placement: Where it ran.
        spikes: int64 (l, s): non-zero messages that the slice sent for the token.
        synops: int64 (l, s): synaptic operations in the slice, one per non-zero message and
            synapse of non-zero weight.

    Every neuron of a slice updates once per token, so updates need no array.
    """

    placement: Placement
    spikes: np.ndarray
    synops: np.ndarray

    @property
    def tokens(self) -> int:
        """How many."""
        return len(self.synops)

    @property
    def updates_per_token(self) -> np.ndarray:
        """int64 (s,): neurons of each slice."""
        return np.array([part.neurons for part in self.placement.slices], np.int64)
