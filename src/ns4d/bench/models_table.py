"""The shipped models at a glance, from their cards."""

from __future__ import annotations

from collections.abc import Sequence

from ns4d.bench.tables import Table, percent
from ns4d.zoo import Entry


def models_table(entries: Sequence[Entry]) -> Table:
    """One row per model.

    Args:
        entries: Models on the shelf.

    Returns:
        What the cards say; their accuracies are those on the whole test part.
    """
    columns = (
        *("model", "parameters", "program"),
        *("float", "integer", "states proved", "cores"),
    )
    rows = []
    for entry in entries:
        card = entry.card
        rows.append(
            (
                entry.name,
                f"{card.parameters:,}",
                card.quantized,
                percent(card.float_accuracy),
                percent(card.integer_accuracy),
                f"{card.states_proved:,}/{card.states:,}",
                str(card.cores),
            )
        )
    return Table("Models that come with ns4d", columns, tuple(rows))
