"""Pictures that can be read: no writing on top of other writing, colours that stay apart.

Where text stands is asked of matplotlib itself, before the figure becomes a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from loihi2_figures import catch_figures
from loihi2_works import random_work
from ns4d.bench import (
    loihi2_chip_picture,
    loihi2_delay_picture,
    loihi2_sensitivity_picture,
    loihi2_split_picture,
    loihi2_timeline_picture,
)
from ns4d.bench.figures import STYLE
from ns4d.bench.loihi2_style import CYCLE, INK, OF_CAUSE, OF_MODE, PALE, ink_on
from ns4d.loihi2.comparison import PAPER_ROWS, Item, measured, simulated
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.estimate import estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.what_if import AXES, what_if
from ns4d.loihi2.work import Work

LARGE = Structure(3, 128, 64, 4, 10, 342, 0.82, 0.35, 12)
CPU = [
    measured("this CPU", Item.TOKEN, 3e-5, 3e4),
    measured("this CPU, batch 1", Item.SAMPLE, 3e-2, 30.0),
]


@pytest.fixture(scope="module")
def work() -> Work:
    return LARGE.work(LARGE.place(), tokens=20)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures instead of files."""
    return catch_figures(monkeypatch)


def writing(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """All visible text with where it stands, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, hidden = canvas.get_renderer(), outside(figure)
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        if artist.get_visible() and artist.get_text().strip() and artist not in hidden:
            box = artist.get_window_extent(renderer)
            if box.width and box.height:
                yield artist.get_text(), box


def outside(figure: Figure) -> set[Text]:
    """Labels of ticks beyond the ends of their axis: they are never drawn."""
    found = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    found |= {tick.label1, tick.label2}
    return found


def overlaps(figure: Figure) -> list[str]:
    """Pairs of texts of which one covers the other by more than a hair."""
    found = []
    for (one, here), (other, there) in combinations(list(writing(figure)), 2):
        common = Bbox.intersection(here, there)
        if common is not None and common.width > 1.5 and common.height > 1.5:
            found.append(f"{one!r} on {other!r}")
    return found


def test_the_cores(drawn: list[Figure], work: Work) -> None:
    loihi2_chip_picture.chip_picture(work, COSTS, 126)
    assert overlaps(drawn[0]) == []


def test_the_cores_of_several_chips(drawn: list[Figure]) -> None:
    structure = Structure(1, 16, 32, 6, 3, 40, 0.8, 0.4, 12)
    loihi2_chip_picture.chip_picture(structure.work(structure.place()), COSTS, 20)
    assert overlaps(drawn[0]) == []


def test_the_timeline(drawn: list[Figure], work: Work) -> None:
    loihi2_timeline_picture.timeline_picture(work, COSTS)
    assert overlaps(drawn[0]) == []


def test_the_split(drawn: list[Figure], work: Work) -> None:
    loihi2_split_picture.split_picture([estimate(work, mode) for mode in Mode])
    assert overlaps(drawn[0]) == []


def test_energy_against_delay(drawn: list[Figure], work: Work) -> None:
    estimates = [estimate(work, mode) for mode in Mode]
    modelled = [simulated(found, board) for found in estimates for board in (False, True)]
    loihi2_delay_picture.delay_picture([*PAPER_ROWS, *modelled, *CPU])
    assert overlaps(drawn[0]) == []


def test_sensitivity(drawn: list[Figure]) -> None:
    small = Structure(1, 8, 16, 2, 3, 342, 0.8, 0.4, 12)
    loihi2_sensitivity_picture.sensitivity_picture([*what_if(small, axes=AXES[2:])])
    assert overlaps(drawn[0]) == []


def test_this_finds_writing_on_writing() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "other")
    figure.text(0.1, 0.1, "elsewhere")
    assert overlaps(figure) == ["'one' on 'other'"]


def test_the_style_leaves_text_as_text() -> None:
    assert STYLE["svg.fonttype"] == "none"


def linear(shade: str) -> np.ndarray:
    """A colour as light, without the curve of screens."""
    values = np.array([int(shade[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


# Viénot, Brettel, Mollon, Color Research and Application 24 (1999): what dichromats see.
PROTAN = np.array([[0.1121, 0.8853, -0.0005], [0.1127, 0.8897, -0.0001], [0.0045, 0.0, 1.0019]])
DEUTAN = np.array([[0.292, 0.7054, -0.0003], [0.2934, 0.7089, 0.0], [-0.0210, 0.0256, 0.9921]])
EYES = {"normal": np.eye(3), "protan": PROTAN, "deutan": DEUTAN}


@pytest.fixture(params=EYES)
def seen(request: pytest.FixtureRequest) -> Callable[[str], np.ndarray]:
    return lambda shade: EYES[request.param] @ linear(shade)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(np.cbrt(np.maximum(one, 0)) - np.cbrt(np.maximum(other, 0))))


def test_neighbouring_layers_are_told_apart(seen: Callable[[str], np.ndarray]) -> None:
    for one, other in zip(CYCLE, (*CYCLE[1:], CYCLE[0]), strict=True):
        assert apart(seen(one), seen(other)) > 0.15, (one, other)


def test_modes_are_told_apart(seen: Callable[[str], np.ndarray]) -> None:
    slow, fast = OF_MODE.values()
    assert apart(seen(slow), seen(fast)) > 0.3


def test_causes_of_one_bar_are_told_apart(seen: Callable[[str], np.ndarray]) -> None:
    found = estimate(random_work(0, tokens=8, chips=2), Mode.PIPELINED)
    for causes in (found.timing.causes_s, found.energy.causes_j):
        shades = [seen(OF_CAUSE[cause]) for cause in causes]
        for one, other in pairwise(shades):
            assert apart(one, other) > 0.1


@pytest.mark.parametrize("shade", [*CYCLE, PALE])
def test_writing_contrasts_with_what_it_stands_on(shade: str) -> None:
    """At least 3 to 1, as asked of large letters."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    ink = "#FFFFFF" if ink_on(shade) == "white" else INK
    lights = sorted(float(weights @ linear(colour)) for colour in (ink, shade))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) > 3
