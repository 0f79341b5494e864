"""Where the time of a token goes, where its energy: one bar per mode, by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ns4d.bench.figures import STYLE, to_svg
from ns4d.bench.loihi2_numbers import rounded
from ns4d.bench.loihi2_style import INK, OF_CAUSE, ink_on
from ns4d.loihi2.estimate import Estimate, Span

MICRO, LEGIBLE = 1e-6, 0.07
Causes = Mapping[str, float]


def split_picture(estimates: Sequence[Estimate]) -> str:
    """Bars of causes with the range of their sum.

    Args:
        estimates: One bar each.

    Returns:
        An SVG element: time on the left, energy on the right.
    """
    names = [found.timing.mode.value for found in estimates]
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "x", "axes.axisbelow": True}):
        figure = Figure(figsize=(9, 1.4 + 0.55 * len(names)), layout="constrained")
        left, right = figure.subplots(1, 2)
        _bars(left, names, [(found.timing.causes_s, found.token_s) for found in estimates])
        _bars(right, names, [(found.energy.causes_j, found.token_j) for found in estimates])
        left.set_xlabel("time per token, µs")
        right.set_xlabel("energy per token, µJ")
        right.set_yticklabels([])
        return to_svg(figure)


def _bars(axes: Axes, names: Sequence[str], bars: Sequence[tuple[Causes, Span]]) -> None:
    longest = max(span.high for _, span in bars) / MICRO
    shown: set[str] = set()
    for k, (causes, span) in enumerate(bars):
        left = 0.0
        for cause, width in ((cause, value / MICRO) for cause, value in causes.items() if value):
            shade, label = OF_CAUSE[cause], None if cause in shown else cause
            axes.barh(k, width, left=left, color=shade, label=label, height=0.55)
            shown.add(cause)
            if width > LEGIBLE * longest:
                _write(axes, left + width / 2, k, rounded(width), ink_on(shade))
            left += width
        _range(axes, k, span)
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.45, -0.55), xlim=(0, 1.04 * longest))
    axes.tick_params(axis="y", length=0)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.3)}
    axes.legend(**below, ncols=3, frameon=False, fontsize=8)  # pyright: ignore


def _range(axes: Axes, k: int, span: Span) -> None:
    ends = [[(span.value - span.low) / MICRO], [(span.high - span.value) / MICRO]]
    axes.errorbar([span.value / MICRO], [k], xerr=ends, color=INK, capsize=3, linewidth=1)


def _write(axes: Axes, x: float, y: int, text: str, ink: str) -> None:
    axes.text(x, y, text, ha="center", va="center", color=ink, fontsize=8)
