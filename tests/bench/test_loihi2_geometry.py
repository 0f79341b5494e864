"""Pictures measured: areas, widths, places against the numbers that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from loihi2_figures import catch_figures
from ns4d.bench.loihi2_chip_picture import COLUMNS, GAP, busy_cores, chip_picture
from ns4d.bench.loihi2_delay_picture import delay_picture
from ns4d.bench.loihi2_sensitivity_picture import sensitivity_picture
from ns4d.bench.loihi2_split_picture import split_picture
from ns4d.bench.loihi2_timeline_picture import SLOW_TOKENS, timeline_picture
from ns4d.loihi2.comparison import PAPER_ROWS, Item, measured
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.estimate import Estimate, estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.timing import time_steps
from ns4d.loihi2.what_if import what_if
from ns4d.loihi2.work import Work

SMALL = Structure(1, 64, 32, 4, 10, 342, 0.8, 0.4, 12)


@pytest.fixture(scope="module")
def work() -> Work:
    return SMALL.work(SMALL.place(), tokens=20)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    return catch_figures(monkeypatch)


def boxes(patch: PathPatch) -> np.ndarray:
    """The rectangles of a compound path: (k, 5, 2) corners."""
    path = patch.get_path()
    assert set(np.unique(path.codes)) == {Path.MOVETO, Path.LINETO, Path.CLOSEPOLY}
    return np.asarray(path.vertices).reshape(-1, 5, 2)


def patches(figure: Figure, panel: int) -> list[PathPatch]:
    return [p for p in figure.axes[panel].patches if isinstance(p, PathPatch)]


def test_a_cell_is_filled_by_the_share_of_its_core(drawn: list[Figure], work: Work) -> None:
    chip_picture(work, COSTS, 126)
    solid = np.concatenate([boxes(p) for p in patches(drawn[0], 0) if p.get_alpha() == 1.0])
    side = 1 - 2 * GAP
    filled = {}
    for box in solid:
        column, row = int(box[0, 0]), int(box[0, 1])
        filled[row * COLUMNS + column] = (box[:, 1].max() - box[:, 1].min()) / side
    cores = busy_cores(work, COSTS)
    fullest = max(core.busy_s for core in cores.values())
    for number, core in cores.items():
        assert filled[number] == pytest.approx(core.busy_s / fullest)
    # Cores that hold nothing are pale cells, whole ones.
    assert len(filled) == 126
    assert all(filled[k] == pytest.approx(1.0) for k in range(31, 126))


def test_cells_do_not_touch(drawn: list[Figure], work: Work) -> None:
    chip_picture(work, COSTS, 126)
    for patch in patches(drawn[0], 0):
        for box in boxes(patch):
            assert box[:, 0].min() % 1 == pytest.approx(GAP)
            assert box[:, 0].max() % 1 == pytest.approx(1 - GAP)


def test_a_box_is_as_wide_as_its_step_is_long(drawn: list[Figure], work: Work) -> None:
    timeline_picture(work, COSTS)
    steps = time_steps(work.mean(SLOW_TOKENS), Mode.FALL_THROUGH, COSTS).step_s / 1e-6
    edges = np.concatenate([[0.0], np.cumsum(steps)])
    first = boxes(patches(drawn[0], 0)[0])
    # Token 0 goes through the stages one after the other, a step each.
    for stage, box in enumerate(first):
        assert box[:, 0].min() == pytest.approx(edges[stage])
        assert box[:, 0].max() == pytest.approx(edges[stage + 1])
        assert box[:, 1].mean() == pytest.approx(stage, abs=0.5)


def test_both_modes_share_the_axis_of_time(drawn: list[Figure], work: Work) -> None:
    timeline_picture(work, COSTS)
    slow, fast = drawn[0].axes
    assert slow.get_xlim() == fast.get_xlim()
    end = time_steps(work.mean(SLOW_TOKENS), Mode.FALL_THROUGH, COSTS).latency_s / 1e-6
    assert slow.get_xlim() == (0.0, pytest.approx(end))
    for panel in (0, 1):
        for patch in patches(drawn[0], panel):
            assert boxes(patch)[:, :, 0].max() <= end * (1 + 1e-9)


def test_pipelined_stages_work_side_by_side(drawn: list[Figure], work: Work) -> None:
    """In a full step every stage has a box of its own token."""
    timeline_picture(work, COSTS)
    tokens = [boxes(patch) for patch in patches(drawn[0], 1)]
    lefts = sorted({round(float(box[:, 0].min()), 6) for token in tokens for box in token})
    late = lefts[-2]
    busy = [
        round(float(box[:, 1].mean()))
        for token in tokens
        for box in token
        if round(float(box[:, 0].min()), 6) == late
    ]
    assert len(busy) == len(set(busy)) > 5


@pytest.fixture(scope="module")
def estimates(work: Work) -> list[Estimate]:
    return [estimate(work, mode) for mode in Mode]


def test_bars_are_as_long_as_their_causes(drawn: list[Figure], estimates: list[Estimate]) -> None:
    split_picture(estimates)
    for axes, causes in zip(
        drawn[0].axes,
        ([e.timing.causes_s for e in estimates], [e.energy.causes_j for e in estimates]),
        strict=True,
    ):
        widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
        wanted = [value / 1e-6 for bar in causes for value in bar.values() if value]
        assert widths == pytest.approx(wanted)


def test_bars_end_at_their_sum(drawn: list[Figure], estimates: list[Estimate]) -> None:
    split_picture(estimates)
    for axes, values in zip(
        drawn[0].axes,
        ([e.token_s.value for e in estimates], [e.token_j.value for e in estimates]),
        strict=True,
    ):
        ends: dict[float, float] = {}
        for bar in axes.patches:
            assert isinstance(bar, Rectangle)
            end = bar.get_x() + bar.get_width()
            ends[bar.get_y()] = max(ends.get(bar.get_y(), 0.0), end)
        assert list(ends.values()) == pytest.approx([value / 1e-6 for value in values])


def test_points_stand_at_latency_and_energy(drawn: list[Figure]) -> None:
    rows = [*PAPER_ROWS, measured("cpu", Item.TOKEN, 4e-5, 2.5e4)]
    delay_picture(rows)
    for axes, item in zip(drawn[0].axes, Item, strict=True):
        wanted = {
            (row.latency_s.value / 1e-3, row.energy_j.value / 1e-3)
            for row in rows
            if row.item is item and row.energy_j is not None
        }
        marks = {
            (float(line.get_xdata()[0]), float(line.get_ydata()[0]))  # type: ignore[index]
            for line in axes.lines
            if line.get_marker() == "o"
        }
        assert marks == wanted
        assert axes.get_xscale() == axes.get_yscale() == "log"
    vertical = [x for line in drawn[0].axes[0].lines if len(set(x := list(line.get_xdata()))) == 1]  # type: ignore[arg-type]
    assert [0.04, 0.04] in vertical


def test_grey_lines_are_of_one_product(drawn: list[Figure]) -> None:
    delay_picture(PAPER_ROWS)
    for axes in drawn[0].axes:
        falling = [line for line in axes.lines if line.get_color() == "0.85"]
        assert falling
        for line in falling:
            products = np.asarray(line.get_xdata()) * np.asarray(line.get_ydata())
            assert products == pytest.approx(products[0])
            assert np.log10(products[0]) == pytest.approx(round(np.log10(products[0])))


def test_error_bars_span_the_range(drawn: list[Figure], estimates: list[Estimate]) -> None:
    split_picture(estimates)
    axes = drawn[0].axes[1]
    bars = [c for c in axes.collections if isinstance(c, LineCollection)]
    for found, bar in zip(estimates, bars, strict=True):
        ends = np.asarray(bar.get_segments()[0])[:, 0] * 1e-6
        assert ends == pytest.approx([found.token_j.low, found.token_j.high])


def test_curves_go_through_the_outcomes(drawn: list[Figure]) -> None:
    base = Structure(1, 8, 16, 2, 3, 43, 0.8, 0.4, 12)
    outcomes = list(what_if(base, axes=("layers",)))
    sensitivity_picture(outcomes)
    top, bottom = drawn[0].axes
    chosen = [one for one in outcomes if one.axis]
    for axes, key in ((top, "token_s"), (bottom, "token_j")):
        curves = [line for line in axes.lines if line.get_linestyle() == "-"]
        for mode, curve in zip(Mode, curves, strict=True):
            wanted = [getattr(one, key)[mode] / 1e-6 for one in chosen]
            assert list(curve.get_ydata()) == pytest.approx(wanted)  # type: ignore[arg-type]
            assert list(curve.get_xdata()) == [one.structure.layers for one in chosen]  # type: ignore[arg-type]
