"""Tables: rows fit their headings; the terminal shows every cell and the origin."""

from __future__ import annotations

import io

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
