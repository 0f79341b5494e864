"""Pictures caught as matplotlib figures, before they become files."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from ns4d.bench import (
    loihi2_chip_picture,
    loihi2_delay_picture,
    loihi2_sensitivity_picture,
    loihi2_split_picture,
    loihi2_timeline_picture,
)

MODULES = (
    loihi2_chip_picture,
    loihi2_delay_picture,
    loihi2_sensitivity_picture,
    loihi2_split_picture,
    loihi2_timeline_picture,
)


def catch_figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """A list that fills with the figures that are drawn from now on."""
    figures: list[Figure] = []

    def keep(figure: Figure) -> str:
        figures.append(figure)
        return ""

    for module in MODULES:
        monkeypatch.setattr(module, "to_svg", keep)
    return figures
