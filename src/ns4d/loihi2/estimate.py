"""What a run takes, with the range in which that may lie.

The value comes from `COSTS`. The range is that of all `CORNERS`: whole sets of costs, each of which
meets the published figures, so it says what these figures leave open. That another placement can
move latency by 35 %, energy by 40 % (arXiv 2602.04717) is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ns4d.errors import RangeError
from ns4d.loihi2.costs import CORNERS, COSTS, Costs
from ns4d.loihi2.energy import Energy, price
from ns4d.loihi2.evidence import BOARD_STATIC_W
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.timing import Timing, time_steps
from ns4d.loihi2.work import Work


@dataclass(frozen=True)
class Span:
    """A result with its range.

    Args:
        value: With the costs as they are stated.
        low, high: Over all sets of costs that fit together.

    Raises:
        RangeError: A range that leaves the value out.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise RangeError(
                "span",
                expected="low <= value <= high",
                got=f"{self.low}, {self.value}, {self.high}",
                fix="Give the range that holds the value.",
            )

    @property
    def inverse(self) -> Span:
        """Of a time, the rate."""
        return Span(1 / self.value, 1 / self.high, 1 / self.low)

    def times(self, factor: float | int) -> Span:
        """So many times as much."""
        return Span(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a run would take on the chip.

    Args:
        timing, energy: With the costs as they are stated.
        token_s: From one token to the next.
        latency_s: Of the whole stream, drain included.
        token_j, sample_j: Of a token, of the whole stream.
        board_token_j, board_sample_j: The same if a chip's static power were that measured on
            boards, with all else as it is.
    """

    timing: Timing
    energy: Energy
    token_s: Span
    latency_s: Span
    token_j: Span
    sample_j: Span
    board_token_j: Span
    board_sample_j: Span


def estimate(
    work: Work, mode: Mode, costs: Costs = COSTS, corners: Sequence[Costs] = CORNERS
) -> Estimate:
    """Time and price a run with every set of costs.

    Args:
        work: What was done.
        mode: When tokens entered.
        costs: For the value.
        corners: For the range.
    """
    timing = time_steps(work, mode, costs)
    energy = price(timing, costs)
    others = _with_each(work, mode, corners)
    low, high = BOARD_STATIC_W.spread

    def span(value: Callable[[Timing, Energy], float]) -> Span:
        found = [value(timing, energy), *(value(*other) for other in others)]
        return Span(found[0], min(found), max(found))

    def on_board(watts: float, value: Callable[[Energy], float]) -> Span:
        return span(lambda timing, energy: value(_powered(timing, energy, watts)))

    def board(value: Callable[[Energy], float]) -> Span:
        middle = on_board(BOARD_STATIC_W.value, value)
        return Span(middle.value, on_board(low, value).low, on_board(high, value).high)

    return Estimate(
        timing,
        energy,
        token_s=span(lambda timing, _: timing.token_s),
        latency_s=span(lambda timing, _: timing.latency_s),
        token_j=span(lambda _, energy: energy.token_j),
        sample_j=span(lambda _, energy: energy.sample_j),
        board_token_j=board(lambda energy: energy.token_j),
        board_sample_j=board(lambda energy: energy.sample_j),
    )


def _with_each(work: Work, mode: Mode, corners: Sequence[Costs]) -> list[tuple[Timing, Energy]]:
    """Corners that differ in energies alone share their walk through the steps."""
    walked: dict[tuple[float, ...], Timing] = {}
    found = []
    for corner in corners:
        times = tuple(fact.value for fact in corner.facts.values() if fact.unit in ("s", "bit"))
        if times not in walked:
            walked[times] = time_steps(work, mode, corner)
        found.append((walked[times], price(walked[times], corner)))
    return found


def _powered(timing: Timing, energy: Energy, watts: float) -> Energy:
    power = watts * timing.work.chips
    return replace(
        energy,
        power_w=power,
        static_j=power * timing.latency_s,
        static_token_j=power * timing.token_s,
    )
