"""How the pictures of the chip look: colours that colour-blind readers tell apart, short names.

Source    the palette of Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#8C8C8C"
PALE, INK = "#ECECEC", "#333333"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, RED)

LETTER: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.INPUT: "I",
        Kind.STATE: "S",
        Kind.REDUCE: "L",
        Kind.DENSE: "L",
        Kind.ADD: "L",
        Kind.READOUT: "R",
    }
)
OF_MODE: Mapping[Mode, str] = MappingProxyType({Mode.FALL_THROUGH: BLUE, Mode.PIPELINED: ORANGE})
OF_CAUSE: Mapping[str, str] = MappingProxyType(
    {
        "barrier and floor": GREY,
        "neurons": BLUE,
        "synapses": ORANGE,
        "links": PINK,
        "static power": GREY,
        "S4D neurons": BLUE,
        "other neurons": SKY,
        "spikes": GREEN,
    }
)
BARE: Any = {"axes.grid": False, "axes.spines.left": False, "axes.spines.bottom": False}


def colour(index: int) -> str:
    """One of few colours, again and again."""
    return CYCLE[index % len(CYCLE)]


def ink_on(shade: str) -> str:
    """The colour of writing that is read best on a shade."""
    red, green, blue = (int(shade[k : k + 2], 16) for k in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else INK
