"""The HTML report: one file that loads nothing, contains everything, escapes what it is given."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from ns4d.bench.figures import learning_curve, streamed_sequences
from ns4d.bench.report import Picture, Report, render, write_report
from ns4d.bench.tables import Origin, Table

EPOCHS = [
    {
        "kind": "epoch",
        "epoch": k,
        "train_loss": 1 / k,
        "validation_loss": 2 / k,
        "train_accuracy": 0.9,
        "validation_accuracy": 0.8765,
    }
    for k in (1, 2, 3)
]


def make_report(summary: str = "What was done.") -> Report:
    return Report(
        "Title",
        summary,
        (Table("Numbers", ("what", "how much"), (("latency", "66 us"),), Origin.PUBLISHED),),
        (Picture("Curve", learning_curve([{"kind": "start"}, *EPOCHS]), "How to read it."),),
        {"machine": "a laptop"},
        text="node <dense>",
    )


class Links(HTMLParser):
    """Collects whatever a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe"):
            self.loaded.append(tag)
        targets = [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        self.loaded += [target for target in targets if not target.startswith("#")]


def test_everything_given_is_shown() -> None:
    page = render(make_report())
    for part in ("Title", "latency", "66 us", "published", "How to read it.", "a laptop"):
        assert part in page


def test_nothing_is_loaded_from_elsewhere() -> None:
    links = Links()
    links.feed(render(make_report()))
    assert links.loaded == []


def test_text_is_escaped_but_pictures_are_not() -> None:
    page = render(make_report(summary="a < b & <script>"))
    assert "a &lt; b &amp; &lt;script&gt;" in page
    assert "node &lt;dense&gt;" in page
    assert page.count("<svg") == 1


def test_the_file_is_the_page(tmp_path: Path) -> None:
    write_report(make_report(), tmp_path / "sub" / "report.html")
    assert (tmp_path / "sub" / "report.html").read_text() == render(make_report())


def test_a_learning_curve_is_an_svg_element_with_the_last_accuracy() -> None:
    svg = learning_curve(EPOCHS)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "87.65 %" in svg


def test_the_same_records_give_the_same_bytes() -> None:
    assert learning_curve(EPOCHS) == learning_curve(EPOCHS)


def test_streamed_sequences_name_truth_with_decision() -> None:
    scores = np.zeros((2, 5, 3))
    scores[0, -1, 2] = 1
    scores[1, -1, 1] = 1
    svg = streamed_sequences(np.ones((2, 5)), scores, np.array([2, 0]), ("ant", "bee", "cat"))
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    words = re.sub(r"<[^>]+>", " ", svg)
    assert "cat, decided cat" in words
    assert "ant, decided bee" in words
