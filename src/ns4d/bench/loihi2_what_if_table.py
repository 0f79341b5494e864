"""What a change would do: one table, a block of rows per property."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ns4d.bench.loihi2_numbers import rounded
from ns4d.bench.tables import Origin, Table
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.what_if import Outcome

MICRO = 1e-6
COLUMNS = (
    "changed",
    "to",
    "cores",
    "chips",
    "system",
    *(f"{mode.value}, µs/token" for mode in Mode),
    *(f"{mode.value}, µJ/token" for mode in Mode),
)


def what_if_table(outcomes: Sequence[Outcome]) -> Table:
    """One row per outcome; the structure asked about comes first.

    Args:
        outcomes: From `what_if`.
    """
    rows = tuple(_row(one, outcomes[0]) for one in outcomes)
    return Table("One property at a time", COLUMNS, rows, Origin.SIMULATED)


def what_if_plain(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """For JSON."""
    return [
        {
            "axis": one.axis,
            "structure": vars(one.structure),
            "cores": one.cores,
            "chips": one.chips,
            "system": one.system,
            "token_s": {mode.value: value for mode, value in one.token_s.items()},
            "token_j": {mode.value: value for mode, value in one.token_j.items()},
        }
        for one in outcomes
    ]


def _row(one: Outcome, base: Outcome) -> tuple[str, ...]:
    value = getattr(one.structure, one.axis) if one.axis else ""
    shown = f"{value:.2g}" if isinstance(value, float) else str(value)
    if one.axis and one.structure == base.structure:
        shown += " (as it is)"
    name = one.axis.replace("_", " ") or "nothing"
    if not one.cores:
        return (name, shown, "-", "-", one.system, *["-"] * 4)
    numbers = [rounded(one.token_s[mode] / MICRO) for mode in Mode]
    numbers += [rounded(one.token_j[mode] / MICRO) for mode in Mode]
    return (name, shown, str(one.cores), str(one.chips), one.system, *numbers)
