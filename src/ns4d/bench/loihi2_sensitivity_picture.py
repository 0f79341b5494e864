"""What one property of a network at a time does to latency, to energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ns4d.bench.figures import STYLE, to_svg
from ns4d.bench.loihi2_style import GREY, OF_MODE
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.what_if import Outcome

MICRO = 1e-6
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "channels": "channels H",
        "modes": "modes N",
        "layers": "layers",
        "s4d_neurons_per_core": "S4D neurons\nper core",
        "relu_density": "non-zero messages\nbehind a ReLU",
        "state_density": "non-zero messages\nof S4D neurons",
        "message_bits": "bits of a message",
    }
)


def sensitivity_picture(outcomes: Sequence[Outcome]) -> str:
    """One column per axis: time above, energy below; rings where more than one chip is needed.

    Args:
        outcomes: From `what_if`.

    Returns:
        An SVG element.
    """
    axes_names = list(dict.fromkeys(one.axis for one in outcomes if one.axis))
    with matplotlib.rc_context({**STYLE, "font.size": 8}):
        figure = Figure(figsize=(1.5 * len(axes_names) + 0.6, 4.2), layout="constrained")
        panels = figure.subplots(2, len(axes_names), sharex="col", sharey="row", squeeze=False)
        for column, name in enumerate(axes_names):
            chosen = [one for one in outcomes if one.axis == name and one.cores]
            own = getattr(outcomes[0].structure, name)
            top, bottom = panels[:, column]
            for mode in Mode:
                _draw(top, name, mode, chosen, [one.token_s[mode] for one in chosen])
                _draw(bottom, name, mode, chosen, [one.token_j[mode] for one in chosen])
            for axes in (top, bottom):
                axes.axvline(own, color=GREY, linewidth=0.8, linestyle=":")
            top.set_title(TITLES[name], fontsize=8)
        panels[0, 0].set_ylabel("time per token, µs")
        panels[1, 0].set_ylabel("energy per token, µJ")
        handles = panels[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
        return to_svg(figure)


def _draw(
    axes: Axes, name: str, mode: Mode, chosen: Sequence[Outcome], values: Sequence[float]
) -> None:
    x = [getattr(one.structure, name) for one in chosen]
    y = [value / MICRO for value in values]
    shade = OF_MODE[mode]
    axes.plot(x, y, "-o", color=shade, markersize=3.5, linewidth=1.2, label=mode.value)
    several = [k for k, one in enumerate(chosen) if one.chips > 1]
    axes.plot(
        [x[k] for k in several],
        [y[k] for k in several],
        "o",
        color=shade,
        markersize=8,
        markerfacecolor="none",
        label="more than one chip" if mode is Mode.PIPELINED else None,
    )
    axes.set(xscale="log", yscale="log")
    ticks = [x[0], x[-1]] if len(x) > 1 else x
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
