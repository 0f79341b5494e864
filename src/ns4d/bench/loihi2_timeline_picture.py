"""Which stage works on which token when: both modes on one axis of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ns4d.bench.figures import STYLE, to_svg
from ns4d.bench.loihi2_style import INK, colour, ink_on
from ns4d.loihi2.costs import Costs
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import period, time_steps
from ns4d.loihi2.work import Work

SLOW_TOKENS, MICROSECOND = 2, 1e-6
SHARED_NAMES = (Kind.STATE, Kind.REDUCE)


def timeline_picture(work: Work, costs: Costs) -> str:
    """The first tokens of a stream in both modes.

    Args:
        work: Its mean token is shown.
        costs: They give the steps their lengths.

    Returns:
        An SVG element: stages by time, a box per token and step.
    """
    slow = time_steps(work.mean(SLOW_TOKENS), Mode.FALL_THROUGH, costs)
    end_s = slow.latency_s
    fast = time_steps(work.mean(_fitting(work, costs, end_s)), Mode.PIPELINED, costs)
    names = stage_names(work)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        height = 1.2 + 0.32 * len(names)
        figure = Figure(figsize=(9, height), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        for axes, timing in zip(panels, (slow, fast), strict=True):
            _draw(axes, timing.step_s, period(timing.work, timing.mode), len(names), end_s)
            axes.set_yticks(range(len(names)), names, fontsize=7)
            axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, end_s / MICROSECOND))
            pace = timing.token_s / MICROSECOND
            axes.set_title(f"{timing.mode.value}: a token every {pace:.1f} µs", loc="left")
        panels[1].set_xlabel("time, µs; vertical lines are the chip's time steps")
        return to_svg(figure)


def stage_names(work: Work) -> Sequence[str]:
    """What each stage is called, in order."""
    names: Mapping[int, str] = {
        cluster.stage: f"{cluster.name.removesuffix('.s4d')} {cluster.kind.value}"
        if cluster.kind in SHARED_NAMES
        else cluster.name.replace(".", " ")
        for cluster in work.clusters
    }
    return [names[stage] for stage in sorted(names)]


def _fitting(work: Work, costs: Costs, end_s: float) -> int:
    """More pipelined tokens than enter until then."""
    one = time_steps(work.mean(work.last_stage + 1), Mode.PIPELINED, costs)
    return int(end_s / one.token_s) + work.last_stage + 2


def _draw(axes: Axes, step_s: np.ndarray, every: int, stages: int, end_s: float) -> None:
    edges = np.concatenate([[0.0], np.cumsum(step_s)]) / MICROSECOND
    end = end_s / MICROSECOND
    boxes: dict[int, list[Path]] = {}
    for step in range(len(step_s)):
        left, right = edges[step], min(edges[step + 1], end)
        if left >= end:
            break
        axes.axvline(left, color="0.85", linewidth=0.5, zorder=0)
        for stage in range(stages):
            token, rest = divmod(step - stage, every)
            if rest or token < 0:
                continue
            boxes.setdefault(token, []).append(_box(left, right, stage))
            if right - left > end / 60:
                middle = (left + right) / 2
                style = {"ha": "center", "va": "center", "fontsize": 6.5}
                ink = ink_on(colour(token))
                axes.text(middle, stage, str(token), color=ink, **style)  # type: ignore[arg-type]
    for token, paths in boxes.items():
        together = Path.make_compound_path(*paths)
        axes.add_patch(PathPatch(together, facecolor=colour(token), edgecolor=INK, linewidth=0.3))


def _box(left: float, right: float, stage: int) -> Path:
    top, bottom = stage - 0.42, stage + 0.42
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return Path(corners, [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY])
