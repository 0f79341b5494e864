"""Pictures of the chip: well-formed, complete, the same for the same run; they load nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loihi2_works import random_work
from ns4d.bench.loihi2_chip_picture import busy_cores, chip_picture
from ns4d.bench.loihi2_delay_picture import delay_picture
from ns4d.bench.loihi2_pictures import captioned, pictures_of, slim, write_pictures
from ns4d.bench.loihi2_sensitivity_picture import TITLES, sensitivity_picture
from ns4d.bench.loihi2_split_picture import split_picture
from ns4d.bench.loihi2_style import BLUE, CYCLE, INK, LETTER, OF_CAUSE, YELLOW, colour, ink_on
from ns4d.bench.loihi2_timeline_picture import stage_names, timeline_picture
from ns4d.loihi2.comparison import PAPER_ROWS, Item, measured, simulated
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.estimate import estimate
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.what_if import AXES, Outcome, what_if
from ns4d.loihi2.work import Work

SMALL = Structure(1, 64, 32, 4, 10, 342, 0.8, 0.4, 12)
ROWS = [*PAPER_ROWS, measured("this CPU", Item.TOKEN, 3e-5, 3e4)]


@pytest.fixture(scope="module")
def work() -> Work:
    return SMALL.work(SMALL.place(), tokens=20)


@pytest.fixture(scope="module")
def outcomes() -> tuple[Outcome, ...]:
    """Of a network so small that it takes no time."""
    return tuple(what_if(replace(SMALL, channels=8, modes=64), axes=("layers", "relu_density")))


@pytest.fixture(scope="module")
def pictures(work: Work, outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    estimates = {mode: estimate(work, mode) for mode in Mode}
    return pictures_of(work, estimates, ROWS, 126, outcomes)


def texts(svg: str) -> list[str]:
    """All writing in a picture, which must be well-formed."""
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")]


def letters(svg: str) -> Counter[str]:
    return Counter(text for text in texts(svg) if len(text) == 1 and text.isupper())


def test_every_core_in_use_has_its_letter(work: Work) -> None:
    """Six cores of S4D neurons, one of linear neurons, four times; one each for the ends."""
    assert letters(chip_picture(work, COSTS, 126)) == {"S": 24, "L": 4, "I": 1, "E": 1, "R": 1}


def test_a_core_shows_its_layer_and_its_time(work: Work) -> None:
    cores = busy_cores(work, COSTS)
    assert [core.layer for core in cores.values()] == [-1, -1, *np.repeat(range(4), 7), -1]
    fullest = max(core.busy_s for core in cores.values())
    pace = fullest + COSTS.step_floor_s.value
    assert estimate(work, Mode.PIPELINED).token_s.value == pytest.approx(pace)


def test_chips_beyond_the_eighth_are_counted_not_drawn() -> None:
    structure = Structure(1, 16, 16, 4, 3, 40, 0.8, 0.4, 12)
    work = structure.work(structure.place())
    svg = chip_picture(work, COSTS, 3)
    assert "the first 8 of " in " ".join(texts(svg))
    assert sum(text.startswith("chip ") for text in texts(svg)) == 8


def test_the_timeline_has_every_stage_in_both_modes(work: Work) -> None:
    found = texts(timeline_picture(work, COSTS))
    names = stage_names(work)
    assert names[:5] == ["input", "encoder", "layer0 S4D", "layer0 reduce", "layer0 linear"]
    assert Counter(found)["layer3 linear"] == 2
    assert len(names) == 15
    times = [text for text in found if "a token every" in text]
    assert [text.partition(":")[0] for text in times] == ["fall-through", "pipelined"]


def test_the_split_names_every_cause(work: Work) -> None:
    found = " ".join(texts(split_picture([estimate(work, mode) for mode in Mode])))
    for cause in ("barrier and floor", "neurons", "synapses", "static power", "spikes"):
        assert cause in found
    assert "links" not in found  # there are none on one chip


def test_energy_against_delay_names_every_system(work: Work) -> None:
    rows = [*ROWS, *(simulated(estimate(work, mode)) for mode in Mode)]
    found = texts(delay_picture(rows))
    for row in rows:
        assert row.name in found
    assert "measured: no energy" in found


def test_sensitivity_has_a_column_per_axis(outcomes: tuple[Outcome, ...]) -> None:
    found = texts(sensitivity_picture(outcomes))
    assert "layers" in found
    assert "behind a ReLU" in " ".join(found)
    assert "more than one chip" in found
    assert set(TITLES) == set(AXES)


def test_all_pictures_load_nothing(pictures: dict[str, str]) -> None:
    assert list(pictures) == ["chip", "timeline", "split", "delay", "sensitivity"]
    for svg in pictures.values():
        assert not re.search(r"(href|src)=\"(?!#)", svg)


def test_the_same_run_gives_the_same_bytes(pictures: dict[str, str], work: Work) -> None:
    assert slim(timeline_picture(work, COSTS)) == pictures["timeline"]
    assert slim(chip_picture(work, COSTS, 126)) == pictures["chip"]


def test_pictures_as_files(pictures: dict[str, str], tmp_path: Path) -> None:
    paths = write_pictures(pictures, tmp_path / "new", "a-")
    assert [path.name for path in paths] == [f"a-{name}.svg" for name in pictures]
    assert all(texts(path.read_text("utf-8")) for path in paths)


def test_pictures_in_a_report(pictures: dict[str, str]) -> None:
    found = captioned(pictures)
    assert [picture.svg for picture in found] == list(pictures.values())
    assert all(picture.title and picture.caption for picture in found)


def test_slimming_keeps_what_is_written() -> None:
    svg = '<svg><path d="M 1.23456 -0.98765"/>\n    <text>3.14159 4.2 v1.1</text></svg>'
    assert slim(svg) == '<svg><path d="M 1.23 -0.99"/>\n<text>3.14 4.2 v1.1</text></svg>'


def test_writing_is_dark_on_light_and_light_on_dark() -> None:
    assert ink_on(BLUE) == "white"
    assert ink_on(YELLOW) == INK
    assert colour(0) == colour(len(CYCLE))
    assert set(LETTER) == set(Kind)


def test_every_cause_has_a_colour() -> None:
    found = estimate(random_work(0, tokens=8, chips=2), Mode.PIPELINED)
    assert set(found.timing.causes_s) | set(found.energy.causes_j) == set(OF_CAUSE)
