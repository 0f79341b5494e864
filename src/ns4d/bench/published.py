"""Published accuracies on the three tasks, in percent, on their official test parts.

Source    the tables of arXiv 2409.15022 and, for the Q-S5 row, of the paper on quantized S5 that it
          compares with. A dash stands where nothing was published.
"""

from __future__ import annotations

from dataclasses import dataclass

TASKS = ("smnist", "psmnist", "scifar")


@dataclass(frozen=True)
class Published:
    """One row.

    Args:
        model: As the paper calls it.
        integer: Whether the figures are those of an integer model.
        smnist, psmnist, scifar: Percent of test sequences; None where none is published.
    """

    model: str
    integer: bool
    smnist: float | None
    psmnist: float | None
    scifar: float | None

    def of(self, task: str) -> str:
        """The figure for a task as text."""
        figure = getattr(self, task)
        return "–" if figure is None else f"{figure:.2f} %"


ROWS = (
    Published("n-S4D, full precision", False, 99.51, 97.53, 86.53),
    Published("n-S4D, after PTQ", True, 99.20, 92.45, 71.74),
    Published("n-S4D on Loihi 2, after QAFT", True, 99.20, 96.16, 84.13),
    Published("Transformer", False, 98.9, 97.9, 62.2),
    Published("CCNN", False, 99.72, 98.84, 93.08),
    Published("LipschitzRNN", False, 99.4, 96.3, 64.2),
    Published("LSSL", False, 99.53, 98.76, 84.65),
    Published("S4", False, 99.63, 98.70, 91.80),
    Published("S4D-LegS", False, None, None, 89.92),
    Published("Liquid-S4", False, None, None, 92.02),
    Published("S5", False, 99.65, 98.67, 90.10),
    Published("Q-S5, 8-bit PTQ", True, 96.27, None, 44.83),
    Published("Q-S5, 8-bit QAFT", True, 99.54, None, 86.95),
    Published("AHP SNN on Loihi 1", True, 96.00, None, None),
)
