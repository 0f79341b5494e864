"""Energy against delay: published, simulated, measured systems in one picture.

On logarithmic axes all points of one energy-delay product lie on a line that falls at 45 degrees;
lower left is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ns4d.bench.figures import STYLE, to_svg
from ns4d.bench.loihi2_style import BLUE, GREEN, INK, RED
from ns4d.loihi2.comparison import MEASURED, PUBLISHED, SIMULATED, Item, Row
from ns4d.loihi2.estimate import Span

LOOK: Mapping[str, tuple[str, str]] = MappingProxyType(
    {PUBLISHED: (BLUE, "o"), SIMULATED: (RED, "s")}
)
MILLI, LINE = 1e-3, 0.06
VERTICAL: Any = {"fontsize": 7.5, "rotation": 90, "va": "top", "ha": "left"}


def delay_picture(rows: Sequence[Row]) -> str:
    """One panel for tokens, one for samples.

    Args:
        rows: Systems; one without energy is drawn as a line at its latency.

    Returns:
        An SVG element.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        for axes, item in zip(figure.subplots(1, 2), Item, strict=True):
            chosen = [row for row in rows if row.item is item]
            _panel(axes, chosen)
            axes.set(
                xlabel=f"latency of a {item.value}, ms",
                ylabel=f"energy of a {item.value}, mJ",
                title=f"{item.value} by {item.value}",
            )
        handles = [
            Line2D(
                [], [], linestyle="none", marker=shape, color=shade, label=origin, **_size(origin)
            )
            for origin, (shade, shape) in LOOK.items()
        ]
        handles.append(Line2D([], [], linestyle="--", color=GREEN, label=f"{MEASURED}: no energy"))
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle("on a grey line the energy-delay product is the same", fontsize=8)
        return to_svg(figure)


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set(xscale="log", yscale="log")
    times = [row.latency_s.value / MILLI for row in rows]
    known = [row for row in rows if row.energy_j is not None]
    energies = [row.energy_j.value / MILLI for row in known if row.energy_j is not None]
    x = np.array([min(times) / 6, max(times) * 6])
    # Room above for the names of machines that are a line.
    y = np.array([min(energies) / 6, max(energies) * 60])
    axes.set(xlim=x, ylim=y)
    _equal_products(axes, x, y)
    for row in rows:
        _mark(axes, row)
    heights = _apart([float(np.log(e / y[0]) / np.log(y[1] / y[0])) for e in energies])
    for row, energy, height in zip(known, energies, heights, strict=True):
        _name(axes, row, energy, height, x)


def _equal_products(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Lines of one energy-delay product, in powers of ten of mJ·ms."""
    low, high = np.log10(x[0] * y[0]), np.log10(x[1] * y[1])
    for exponent in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        axes.plot(x, 10.0**exponent / x, color="0.85", linewidth=0.7, zorder=0)


def _mark(axes: Axes, row: Row) -> None:
    time = row.latency_s.value / MILLI
    if row.energy_j is None:
        axes.axvline(time, color=GREEN, linewidth=1, linestyle="--")
        where = axes.get_xaxis_transform()
        axes.text(time * 1.06, 0.98, row.name, transform=where, color=GREEN, **VERTICAL)
        return
    shade, shape = LOOK[row.origin]
    axes.errorbar(
        [time],
        [row.energy_j.value / MILLI],
        xerr=_ends(row.latency_s),
        yerr=_ends(row.energy_j),
        fmt=shape,
        color=shade,
        capsize=2,
        **_size(row.origin),
    )


def _size(origin: str) -> dict[str, Any]:
    """Simulated points are open, so that a published one behind them is seen."""
    return (
        {"markersize": 9, "markerfacecolor": "none"} if origin == SIMULATED else {"markersize": 5}
    )


def _name(axes: Axes, row: Row, energy: float, height: float, x: np.ndarray) -> None:
    """Beside the mark, on the side with more room; a line leads there, below all names."""
    time = row.latency_s.value / MILLI
    place = float(np.log(time / x[0]) / np.log(x[1] / x[0]))
    side = -1 if place > 0.5 else 1
    where = place + 0.05 * side, height
    line = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 5}
    axes.annotate(
        "", (time, energy), xytext=where, textcoords="axes fraction", arrowprops=line, zorder=1
    )
    axes.text(
        *where,
        row.name,
        transform=axes.transAxes,
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=7.5,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        zorder=5,
    )


def _apart(heights: Sequence[float]) -> list[float]:
    """The same heights, no two of them closer than a line of text."""
    found, last = [0.0] * len(heights), -1.0
    for k in sorted(range(len(heights)), key=lambda k: heights[k]):
        last = found[k] = max(heights[k], last + LINE)
    return found


def _ends(span: Span) -> list[list[float]]:
    return [[(span.value - span.low) / MILLI], [(span.high - span.value) / MILLI]]
