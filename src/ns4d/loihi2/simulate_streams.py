"""Streams on a simulated chip: their states as flat arrays, their tokens through the steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from ns4d.engines import State
from ns4d.loihi2.simulate_layout import Layout
from ns4d.loihi2.simulate_steps import DEPTH, NEURONS, run_steps


@dataclass(frozen=True, eq=False)
class Streams:
    """States of streams, in the order of the S4D neurons; the steps write into them.

    Args:
        layout: Of the program.
        x_re, x_im: int32 (b, states): no profile has wider states.
        r: int64 (b, classes).
    """

    layout: Layout
    x_re: Int32[np.ndarray, "b states"]
    x_im: Int32[np.ndarray, "b states"]
    r: Int64[np.ndarray, "b classes"]

    def run(
        self, stream: int, u: Int64[np.ndarray, "l i"], period: int, seen: int, passage: Passage
    ) -> None:
        """Tokens of one stream, from an empty chip to an empty chip.

        Args:
            stream: Which.
            u: Admitted messages.
            period: Steps from one token's entry to the next one's.
            seen: Tokens before these.
            passage: Takes what comes out.
        """
        layout = self.layout
        neurons, depth = layout.table[:, NEURONS], layout.table[:, DEPTH]
        ring, widest = int((neurons * depth).sum()), int(neurons.max())
        run_steps(
            layout.table,
            layout.numbers,
            layout.words,
            layout.fans.stops,
            layout.fans.start,
            layout.fans.slices,
            layout.fans.counts,
            layout.stops,
            np.zeros(ring, np.int32),
            np.zeros(ring, np.int64),
            np.zeros(int(depth.sum()), np.int64),
            self.x_re[stream],
            self.x_im[stream],
            self.r[stream],
            np.ascontiguousarray(u),
            passage.scores,
            passage.messages,
            passage.spikes,
            passage.synops,
            np.zeros(widest, np.int64),
            np.zeros(widest, np.int64),
            period,
            seen,
            int(passage.gated),
        )

    def state(self, seen: int) -> State:
        """A copy, by node."""
        x_re, x_im, at = {}, {}, 0
        for node in self.layout.program.recurrent:
            shape, size = (len(self.r), *node.a_re.shape), node.a_re.size
            x_re[node.name], x_im[node.name] = (
                part[:, at : at + size].reshape(shape).astype(np.int64)
                for part in (self.x_re, self.x_im)
            )
            at += size
        return State(x_re, x_im, self.r, seen)


@dataclass(frozen=True, eq=False)
class Passage:
    """What comes out of a run of one stream; the steps write into it.

    Args:
        scores: int64 (l, classes).
        messages: int64 (l, o) of all nodes, or (0, o) to keep none.
        spikes, synops: int64 (l, s).
        gated: Whether neurons act once per token, as on the chip, or in every step.
    """

    scores: Int64[np.ndarray, "l classes"]
    messages: Int64[np.ndarray, "_ o"]
    spikes: Int64[np.ndarray, "l s"]
    synops: Int64[np.ndarray, "l s"]
    gated: bool = True


def passage(layout: Layout, tokens: int, traced: bool = False, gated: bool = True) -> Passage:
    """Room for so many tokens.

    Args:
        layout: Of the program.
        tokens: How many will pass.
        traced: Whether the messages of all nodes are kept.
        gated: See `Passage`.
    """

    def room(rows: int, columns: int) -> np.ndarray:
        return np.zeros((rows, columns), np.int64)

    classes = layout.program.readout.outputs
    return Passage(
        room(tokens, classes),
        room(tokens if traced else 0, layout.messages),
        room(tokens, layout.slices),
        room(tokens, layout.slices),
        gated,
    )


def streams_of(layout: Layout, state: State) -> Streams:
    """A copy of the state of a stream, or of many, for the steps to write into."""
    batch = state.batch
    names = [node.name for node in layout.program.recurrent]

    def flat(parts: list[np.ndarray]) -> np.ndarray:
        none = np.zeros((batch, 0), np.int64)
        every = [none, *(part.reshape(batch, -1) for part in parts)]
        return np.concatenate(every, axis=1).astype(np.int32)

    return Streams(
        layout,
        flat([state.x_re[name] for name in names]),
        flat([state.x_im[name] for name in names]),
        state.r.copy(),
    )
