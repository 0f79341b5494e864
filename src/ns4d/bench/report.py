"""One self-contained HTML file with the results of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from ns4d.bench.tables import Table
from ns4d.storage import write_atomically


@dataclass(frozen=True)
class Picture:
    """A figure with its caption.

    Args:
        title: What it shows.
        svg: The SVG element itself, from `ns4d.bench.figures`.
        caption: How to read it.
    """

    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Report:
    """What a report contains, in order.

    Args:
        title: Heading of the page.
        summary: One paragraph: what was done and what came out.
        tables: Result tables.
        pictures: Figures.
        environment: Machine, versions and commit; see `ns4d.environment`.
        text: A long text shown folded, such as the program's printed form.
    """

    title: str
    summary: str
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    environment: Mapping[str, object]
    text: str = field(default="")


def render(report: Report) -> str:
    """The page as HTML: styles and pictures inline, no script, nothing loaded from elsewhere."""
    loader = jinja2.PackageLoader("ns4d.bench")
    templates = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return templates.get_template("report.html").render(report=report)


def write_report(report: Report, path: Path) -> None:
    """Render a report into a file, whole or not at all.

    Raises:
        ArtefactError: If the file cannot be written.
    """
    write_atomically(path, render(report).encode())
