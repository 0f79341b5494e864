"""The tables of emulated runs, from their record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ns4d.bench.tables import Origin, Table

Record = Mapping[str, Any]
MICRO, MILLI, MEGA = 1e-6, 1e-3, 1e6
PREFERRED = "gcc"


def deployment_table(record: Record) -> Table:
    """What the same program costs on every target: time of a token, memory, exactness."""
    columns = (
        "model",
        "target",
        "a token every",
        "memory",
        "scores compared",
        "different",
        "numbers",
    )
    rows = []
    for model in dict.fromkeys(row["model"] for row in record["rows"]):
        rows += [_elsewhere(row) for row in record["elsewhere"] if row["model"] == model]
        rows += [_emulated(row) for row in _chosen(record) if row["model"] == model]
    return Table("One program on every target", columns, tuple(rows), Origin.STATED)


def _elsewhere(row: Record) -> tuple[str, ...]:
    value, low, high = (f"{seconds / MICRO:.1f}" for seconds in row["token_s"])
    time = f"{value} µs" if low == high else f"{value} µs ({low} to {high})"
    counts = f"{row['compared']:,}", f"{row['different']:,}"
    return row["model"], row["target"], time, row["memory"], *counts, row["origin"]


def _emulated(row: Record) -> tuple[str, ...]:
    timed = row["seconds"] is not None
    target = f"{row['target']} at {row['clock_hz'] / MEGA:.0f} MHz ({row['part']})"
    counted = f"{row['instructions']:,.0f} instructions"
    return (
        row["model"],
        target if timed else row["target"],
        f"{row['seconds'] / MILLI:.2f} ms" if timed else counted,
        f"{row['flash_bytes']:,} flash, {row['ram_bytes'] + row['stack_bytes']:,} RAM",
        f"{row['tokens'] * row['classes']:,}",
        f"{row['different']:,}",
        "simulated, cycles from published timings" if timed else "simulated",
    )


def cost_table(record: Record) -> Table:
    """What a token costs on every target, with the compiler that firmware is built with."""
    columns = (
        "model",
        "core",
        "compiler",
        "instructions/token",
        "cycles/token",
        "ms/token",
        "at",
    )
    rows = tuple(_cost(row) for row in _chosen(record))
    return Table("Emulated microcontrollers", columns, rows, Origin.SIMULATED)


def memory_table(record: Record) -> Table:
    """What a model takes on every target, and whether its scores are those of the reference."""
    columns = ("model", "core", "flash", "RAM", "stack", "scores compared", "different")
    rows = tuple(
        (
            row["model"],
            row["target"],
            f"{row['flash_bytes']:,}",
            f"{row['ram_bytes']:,}",
            f"{row['stack_bytes']:,}",
            f"{row['tokens'] * row['classes']:,}",
            f"{row['different']:,}",
        )
        for row in _chosen(record)
    )
    return Table("Bytes, and exactness", columns, rows, Origin.SIMULATED)


def tuning_table(record: Record) -> Table:
    """What the paths for one kind of multiplier gain over plain C, by compiler."""
    columns = ("model", "core", "compiler", "plain C", "tuned", "fewer")
    plain = {_key(row): row for row in record["rows"] if row["path"] == "plain C"}
    rows = []
    for row in _tuned(record):
        before = plain.get(_key(row))
        if before is not None and row["target"] != "rv32im":
            gain = before["instructions"] / row["instructions"]
            counts = (f"{each['instructions']:,.0f}" for each in (before, row))
            rows.append((row["model"], row["target"], row["toolchain"], *counts, f"{gain:.2f}×"))
    title = "Instructions per token"
    return Table(title, columns, tuple(rows), Origin.SIMULATED)


def _tuned(record: Record) -> list[Record]:
    return [row for row in record["rows"] if row["path"] == "tuned"]


def _chosen(record: Record) -> list[Record]:
    """The rows of GCC; of another compiler where there is none of GCC."""
    rows = _tuned(record)
    with_gcc = {_case(row) for row in rows if row["toolchain"].startswith(PREFERRED)}
    return [
        row for row in rows if row["toolchain"].startswith(PREFERRED) or _case(row) not in with_gcc
    ]


def _case(row: Record) -> tuple[str, str]:
    return row["model"], row["target"]


def _key(row: Record) -> tuple[str, str, str]:
    return row["model"], row["target"], row["toolchain"]


def _cost(row: Record) -> tuple[str, ...]:
    timed = row["cycles"] is not None
    return (
        row["model"],
        row["target"],
        row["toolchain"],
        f"{row['instructions']:,.0f}",
        f"{row['cycles']:,.0f}" if timed else "not published",
        f"{row['seconds'] / MILLI:.2f}" if timed else "",
        f"{row['part']}, {row['clock_hz'] / MEGA:.0f} MHz" if timed else "",
    )


TABLES: Mapping[str, Callable[[Record], Table]] = MappingProxyType(
    {
        "deploy": deployment_table,
        "deploy-cores": cost_table,
        "deploy-memory": memory_table,
        "deploy-tuning": tuning_table,
    }
)
