"""Tables: rows fit their headings; the terminal shows every cell and the origin."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from ns4d.bench.tables import Origin, Table, percent, print_table
from ns4d.errors import ShapeError


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"table 'T', row 1: expected 2 cells, got 1"):
        Table("T", ("a", "b"), (("1", "2"), ("3",)))


@pytest.mark.parametrize("origin", Origin)
def test_the_terminal_shows_cells_and_origin(origin: Origin) -> None:
    text = io.StringIO()
    table = Table("Speeds", ("engine", "ms"), (("reference", "12.5"),), origin)
    print_table(table, Console(file=text, width=80))
    for part in ("Speeds", "engine", "reference", "12.5", f"({origin.value})"):
        assert part in " ".join(text.getvalue().split())


def test_percent_has_two_digits() -> None:
    assert [percent(x) for x in (0.0, 0.99999, 1.0)] == ["0.00 %", "100.00 %", "100.00 %"]


@pytest.mark.parametrize("width", [60, 200])
def test_a_narrow_terminal_cuts_no_character(width: int) -> None:
    """Names stay whole words; everything else is folded over lines."""
    columns = ("model", *(f"heading {k}" for k in range(4)))
    row = ("psmnist-small", "123,456,789", "98.76 %", "12,345,678,901", "loihi2, PTQ")
    text = io.StringIO()
    print_table(Table("t", columns, (row,)), Console(file=text, width=width))
    printed = text.getvalue()
    assert "…" not in printed
    assert "psmnist-small" in printed
    wanted, got = Counter("".join(("t (measured)", *columns, *row))), Counter(printed)
    for blank in " \n─":
        del wanted[blank], got[blank]
    assert got == wanted
    if width == 200:
        assert any(line.split() == " ".join(row).split() for line in printed.splitlines())
