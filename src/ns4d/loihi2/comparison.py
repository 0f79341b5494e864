"""The systems of the paper's comparison as data, with rows of ours beside them.

Its two tables ask different things. Token by token, the next token comes when the last one is done;
sample by sample, whole sequences are known beforehand. The energy-delay product is energy times
latency of the same item.

Source    arXiv 2409.15022, table of sCIFAR: `large`, Oheo Gulch; Jetson Orin Nano 8 GB at 15 W.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from ns4d.loihi2.estimate import Estimate, Span
from ns4d.loihi2.mode import Mode

PUBLISHED, SIMULATED, MEASURED = "published", "simulated", "measured"


class Item(Enum):
    """What is counted: the unit of energy, latency, throughput."""

    TOKEN = "token"
    SAMPLE = "sample"


@dataclass(frozen=True)
class Row:
    """One system at one kind of work.

    Args:
        name: The system and how it was used.
        item: What is counted.
        origin: published, simulated or measured.
        energy_j: Per item; None where it is not known.
        latency_s: Of an item.
        per_s: Items per second.
    """

    name: str
    item: Item
    origin: str
    energy_j: Span | None
    latency_s: Span
    per_s: Span

    @property
    def energy_delay_js(self) -> Span | None:
        """Energy times latency; the lows together, the highs together."""
        if self.energy_j is None:
            return None
        pairs = (getattr(self.energy_j, end) * getattr(self.latency_s, end) for end in ENDS)
        return Span(*pairs)


ENDS = ("value", "low", "high")


def exact(value: float) -> Span:
    """A number that is known without a range."""
    return Span(value, value, value)


def published(name: str, item: Item, energy_j: float, latency_s: float, per_s: float) -> Row:
    """A row of the paper, as printed there."""
    return Row(name, item, PUBLISHED, exact(energy_j), exact(latency_s), exact(per_s))


PAPER_ROWS: tuple[Row, ...] = (
    published("Loihi 2", Item.TOKEN, 16e-6, 66e-6, 15_260.0),
    published("Orin Nano, recurrent", Item.TOKEN, 16.11e-3, 4.98e-3, 201.0),
    published("Loihi 2", Item.SAMPLE, 10.36e-3, 12.74e-3, 80.0),
    published("Orin Nano, convolution, batch 1", Item.SAMPLE, 26.89e-3, 6.33e-3, 158.0),
    published("Orin Nano, convolution, batch 64", Item.SAMPLE, 0.961e-3, 8.476e-3, 7_550.0),
)
ITEM_OF: Mapping[Mode, Item] = MappingProxyType(
    {Mode.FALL_THROUGH: Item.TOKEN, Mode.PIPELINED: Item.SAMPLE}
)


def published_for(mode: Mode) -> Row:
    """The paper's row of Loihi 2 in this mode."""
    item = ITEM_OF[mode]
    return next(row for row in PAPER_ROWS if row.name == "Loihi 2" and row.item is item)


def simulated(found: Estimate, board: bool = False) -> Row:
    """A run of the model as a row: per token in fall-through mode, per sample in pipelined mode.

    Args:
        found: The run.
        board: Whether static power is that measured on boards, not the fitted one.
    """
    mode, tokens = found.timing.mode, found.timing.work.tokens
    name = "our model, power of boards" if board else "our model"
    if mode is Mode.FALL_THROUGH:
        energy = found.board_token_j if board else found.token_j
        return Row(name, Item.TOKEN, SIMULATED, energy, found.token_s, found.token_s.inverse)
    energy = found.board_sample_j if board else found.sample_j
    rate = found.token_s.times(tokens).inverse
    return Row(name, Item.SAMPLE, SIMULATED, energy, found.latency_s, rate)


def measured(name: str, item: Item, latency_s: float, per_s: float) -> Row:
    """A machine that was timed; its energy is not known."""
    return Row(name, item, MEASURED, None, exact(latency_s), exact(per_s))
