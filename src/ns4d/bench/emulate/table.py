"""The tables of emulated runs, from their record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ns4d.bench.tables import Origin, Table

Record = Mapping[str, Any]
MILLI, MEGA = 1e-3, 1e6
PREFERRED = "gcc"


def cost_table(record: Record) -> Table:
    """What a token costs on every target, with the compiler that firmware is built with."""
    columns = (
        "model",
        "core",
        "instructions/token",
        "cycles/token",
        "ms/token",
        "at",
        "flash, bytes",
        "RAM, bytes",
        "stack, bytes",
        "scores compared",
        "different",
    )
    rows = tuple(_cost(row) for row in _chosen(record) if row["path"] == "tuned")
    return Table("Emulated microcontrollers", columns, rows, Origin.SIMULATED)


def tuning_table(record: Record) -> Table:
    """What the paths for one kind of multiplier gain over plain C, by compiler."""
    columns = ("model", "core", "compiler", "plain C", "tuned", "fewer")
    plain = {_key(row): row for row in record["rows"] if row["path"] == "plain C"}
    rows = []
    for row in record["rows"]:
        before = plain.get(_key(row))
        if row["path"] != "tuned" or before is None or row["target"] == "rv32im":
            continue
        gain = before["instructions"] / row["instructions"]
        counts = (f"{each['instructions']:,.0f}" for each in (before, row))
        rows.append((row["model"], row["target"], row["toolchain"], *counts, f"{gain:.2f}×"))
    title = "Instructions per token"
    return Table(title, columns, tuple(rows), Origin.SIMULATED)


def _chosen(record: Record) -> list[Record]:
    """The rows of GCC; of another compiler where there is none of GCC."""
    rows = record["rows"]
    preferred = {_case(row) for row in rows if row["toolchain"].startswith(PREFERRED)}
    return [
        row for row in rows if row["toolchain"].startswith(PREFERRED) or _case(row) not in preferred
    ]


def _case(row: Record) -> tuple[str, ...]:
    return row["model"], row["target"], row["path"]


def _key(row: Record) -> tuple[str, ...]:
    return row["model"], row["target"], row["toolchain"]


def _cost(row: Record) -> tuple[str, ...]:
    timed = row["cycles"] is not None
    return (
        row["model"],
        row["target"],
        f"{row['instructions']:,.0f}",
        f"{row['cycles']:,.0f}" if timed else "no published timings",
        f"{row['seconds'] / MILLI:.2f}" if timed else "",
        f"{row['part']}, {row['clock_hz'] / MEGA:.0f} MHz" if timed else "",
        f"{row['flash_bytes']:,}",
        f"{row['ram_bytes']:,}",
        f"{row['stack_bytes']:,}",
        f"{row['tokens'] * row['classes']:,}",
        str(row["different"]),
    )
