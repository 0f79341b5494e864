"""The cores of the chip: what lives on each, how full it is.

The grid is a scheme, not a floor plan: cores in the order of their numbers, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from ns4d.bench.figures import STYLE, to_svg
from ns4d.bench.loihi2_style import BARE, GREY, INK, LETTER, PALE, colour, ink_on
from ns4d.loihi2.costs import Costs
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import update_s
from ns4d.loihi2.work import Work

COLUMNS, MOST_CHIPS = 14, 8
GAP, MOST_LAYERS = 0.1, 9
LETTERS = "S: S4D neurons, L: reduce with linear, I: input, E: encoder, R: read-out"


@dataclass(frozen=True)
class Core:
    """What a core of the picture shows.

    Args:
        layer: Index of the layer; -1 for the ends of the network.
        letter: What its neurons do.
        busy_s: Seconds per token.
    """

    layer: int
    letter: str
    busy_s: float


def chip_picture(work: Work, costs: Costs, cores_per_chip: int) -> str:
    """Every core in use with its layer, its kind, how long it works for a token.

    Args:
        work: Mean work per token is shown.
        costs: What it takes.
        cores_per_chip: Cells per chip.

    Returns:
        An SVG element; of more than eight chips, the first eight.
    """
    cores = busy_cores(work, costs)
    chips = sorted({core // cores_per_chip for core in cores})
    shown = chips[:MOST_CHIPS]
    columns = min(len(shown), 2)
    rows = math.ceil(len(shown) / columns)
    with matplotlib.rc_context({**STYLE, **BARE}):
        figure = Figure(figsize=(8, 1.0 + 4.9 * rows / columns), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        fullest = max(core.busy_s for core in cores.values())
        for axes in grid:
            axes.set_axis_off()
        for axes, chip in zip(grid, shown, strict=False):
            _draw_chip(axes, cores, chip * cores_per_chip, cores_per_chip, fullest)
            used = sum(core // cores_per_chip == chip for core in cores)
            axes.set_title(f"chip {chip}: {used} of {cores_per_chip} cores", loc="left")
        if len(chips) > len(shown):
            figure.suptitle(f"the first {len(shown)} of {len(chips)} chips")
        _explain(figure, list(cores.values()), fullest)
        return to_svg(figure)


def busy_cores(work: Work, costs: Costs) -> Mapping[int, Core]:
    """Core -> what it shows: its largest cluster names it."""
    layers = _layers(work)
    mean = work.synops.mean(axis=0)
    found = {}
    for core, mine in work.by_core.items():
        updates = sum(update_s(work.clusters[s], costs) for s in mine)
        synops = sum(float(mean[s]) for s in mine) * costs.synop_s.value
        main = work.clusters[max(mine, key=lambda s: work.clusters[s].neurons)]
        letter = "E" if main.kind is not Kind.INPUT and main.stage == 1 else LETTER[main.kind]
        found[core] = Core(layers[main.stage], letter, updates + synops)
    return found


def _layers(work: Work) -> Mapping[int, int]:
    """Stage -> layer: it begins with S4D neurons; -1 before the first one, and for the ends."""
    kinds = {cluster.stage: cluster.kind for cluster in work.clusters}
    layer, found = -1, {}
    for stage in sorted(kinds):
        layer += kinds[stage] is Kind.STATE
        found[stage] = -1 if kinds[stage] is Kind.READOUT else layer
    return found


def _draw_chip(
    axes: Axes, cores: Mapping[int, Core], first: int, count: int, fullest: float
) -> None:
    cells: dict[tuple[str, float], list[Path]] = {}
    for k in range(count):
        x, y = k % COLUMNS, k // COLUMNS
        core = cores.get(first + k)
        if core is None:
            cells.setdefault((PALE, 1.0), []).append(_cell(x, y, 1.0))
            continue
        shade = GREY if core.layer < 0 else colour(core.layer)
        share = core.busy_s / fullest if fullest else 0.0
        cells.setdefault((shade, 0.25), []).append(_cell(x, y, 1.0))
        cells.setdefault((shade, 1.0), []).append(_cell(x, y, share))
        ink = ink_on(shade) if share > 0.6 else INK
        axes.text(x + 0.5, y + 0.5, core.letter, ha="center", va="center", color=ink, fontsize=7)
    # One path for all cells of a colour keeps the file small.
    for (shade, alpha), paths in cells.items():
        together = Path.make_compound_path(*paths)
        axes.add_patch(PathPatch(together, facecolor=shade, alpha=alpha, linewidth=0))
    axes.set(xlim=(0, COLUMNS), ylim=(math.ceil(count / COLUMNS), 0), aspect="equal")


def _cell(x: int, y: int, share: float) -> Path:
    """A cell that is filled from below."""
    side, left, bottom = 1 - 2 * GAP, x + GAP, y + 1 - GAP
    return Path(
        [
            (left, bottom),
            (left + side, bottom),
            (left + side, bottom - side * share),
            (left, bottom - side * share),
            (left, bottom),
        ],
        [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY],
    )


def _explain(figure: Figure, cores: Collection[Core], fullest: float) -> None:
    layers = sorted({core.layer for core in cores})
    patches = [
        Patch(color=GREY if k < 0 else colour(k), label="ends" if k < 0 else f"layer {k}")
        for k in layers[:MOST_LAYERS]
    ]
    figure.legend(
        handles=patches,
        loc="outside lower center",
        ncols=len(patches),
        frameon=False,
        title=f"{LETTERS}\nfilled from below: busy per token, full = {1e6 * fullest:.1f} µs",
        title_fontsize=8,
    )
