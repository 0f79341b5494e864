"""A race: all contestants run the same sequences in turn, round by round; every result counts.

A neighbour on the machine changes its clock within minutes, so two times compare only if they were
taken within the same seconds. One round runs every contestant once; ratios are taken within a
round, and the order rotates from round to round.

A contestant that computes something else is no contestant: every result, also of the timed runs,
is compared with what is expected, and a difference ends the race.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ns4d.errors import RangeError

OURS = "ns4d"


@dataclass(frozen=True, eq=False)
class Contestant:
    """One way to compute the scores of some blocks of tokens.

    Args:
        name: What runs, in full.
        family: What it belongs to, `OURS` or a baseline; the best of a family counts.
        prepare: Called with the block before every run, outside of the time, to bring the state
            to where the block starts. Blocks are run in order, again and again.
        run: From the index of a block to the scores after its last token.
        expected: The right scores, one array per block.
        tolerance: Allowed difference relative to the largest score; 0 means equal bits.
    """

    name: str
    family: str
    prepare: Callable[[int], None]
    run: Callable[[int], np.ndarray]
    expected: Sequence[np.ndarray]
    tolerance: float = 0.0


@dataclass(frozen=True)
class Timing:
    """How one contestant did.

    Args:
        name: As the contestant's.
        family: As the contestant's.
        seconds: Time per unit of work in every round, s.
    """

    name: str
    family: str
    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The fastest round, s per unit."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The middle round, s per unit."""
        return statistics.median(self.seconds)


def race(contestants: Sequence[Contestant], rounds: int, units: int) -> tuple[Timing, ...]:
    """Run all contestants in turn.

    Args:
        contestants: At least one, all with the same number of blocks.
        rounds: How often each is timed; before, each runs every block once, untimed.
        units: Tokens, or sequences, of one block: what the time is divided by.

    Returns:
        One timing per contestant, in order.

    Raises:
        RangeError: A contestant computed something else than expected.
    """
    blocks = len(contestants[0].expected)
    for contestant in contestants:
        for block in range(blocks):
            _timed(contestant, block)
    seconds: list[list[float]] = [[] for _ in contestants]
    for k in range(rounds):
        for j in range(len(contestants)):
            place = (j + k) % len(contestants)
            seconds[place].append(_timed(contestants[place], k % blocks) / units)
    return tuple(
        Timing(contestant.name, contestant.family, tuple(times))
        for contestant, times in zip(contestants, seconds, strict=True)
    )


def champions(timings: Sequence[Timing]) -> dict[str, Timing]:
    """The fastest of each baseline family, by the median."""
    found: dict[str, Timing] = {}
    for timing in timings:
        best = found.get(timing.family)
        if timing.family != OURS and (best is None or timing.median < best.median):
            found[timing.family] = timing
    return found


def times_faster(timing: Timing, than: Timing) -> float:
    """The median over the rounds of the ratio within a round."""
    pairs = zip(than.seconds, timing.seconds, strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def _timed(contestant: Contestant, block: int) -> float:
    contestant.prepare(block)
    collecting = gc.isenabled()
    gc.disable()  # a collection would be charged to whoever runs when it happens
    try:
        start = time.perf_counter()
        scores = contestant.run(block)
        elapsed = time.perf_counter() - start
    finally:
        if collecting:
            gc.enable()
    _require_expected(contestant, block, scores)
    return elapsed


def _require_expected(contestant: Contestant, block: int, scores: np.ndarray) -> None:
    expected = contestant.expected[block]
    allowed = contestant.tolerance * float(np.abs(expected).max())
    fits = scores.shape == expected.shape and (scores.dtype.kind == expected.dtype.kind)
    if fits and np.all(np.abs(scores - expected) <= allowed):  # NaN compares as false
        return
    off = f"{scores.dtype} {scores.shape}"
    if fits:
        off = f"a difference of {np.abs(scores - expected).max():.6g}"
    raise RangeError(
        f"benchmark, {contestant.name}, block {block}",
        expected=f"the scores of the definition within {allowed:.3g}",
        got=off,
        fix="A time for another function says nothing: mend the contestant.",
    )
