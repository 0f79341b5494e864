"""Result tables: one description for the terminal, the HTML report, the documents.

Every table says how its numbers came about: measured, simulated, fitted, published, assumed or
proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from ns4d.errors import ShapeError

LONGEST_NAME = 30


class Origin(Enum):
    """How a number came about."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    FITTED = "fitted"
    PUBLISHED = "published"
    ASSUMED = "assumed"
    PROVED = "proved"
    STATED = "as stated in each row"
    CHIP_SIMULATED = "measured, those of the chip simulated"


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Args:
        title: What the table shows.
        columns: Headings.
        rows: One tuple per row, as long as the headings.
        origin: How the numbers came about.

    Raises:
        ShapeError: If a row is too long or too short.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    origin: Origin = Origin.MEASURED

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ShapeError(
                    f"table {self.title!r}, row {index}",
                    expected=f"{len(self.columns)} cells",
                    got=str(len(row)),
                    fix="Give every row one cell per column.",
                )


def print_table(table: Table, console: Console) -> None:
    """Show a table in the terminal, numbers to the right."""
    title = f"{table.title} ({table.origin.value})"
    shown = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    # Folded, not cut, where the terminal is narrow; names, which one copies, stay whole.
    short = max((len(row[0]) for row in table.rows), default=0) <= LONGEST_NAME
    for index, column in enumerate(table.columns):
        justify: Literal["left", "right"] = "right" if index else "left"
        whole = short and index == 0
        shown.add_column(column, justify=justify, overflow="fold", no_wrap=whole)
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)


def percent(fraction: float) -> str:
    """A fraction as a percentage with two digits after the point.

    >>> percent(0.98765)
    '98.77 %'
    """
    return f"{100 * fraction:.2f} %"
