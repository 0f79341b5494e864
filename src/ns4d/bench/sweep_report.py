"""What a sweep found: a table, two Pareto plots, one HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ns4d.bench.environment import environment
from ns4d.bench.figures import pareto
from ns4d.bench.report import Picture, Report, write_report
from ns4d.bench.sweep import AXES, front
from ns4d.bench.tables import Table, percent

COSTS: Mapping[str, str] = {
    "bytes": "parameters, bytes",
    "bit_products": "products per token, weighted by the widths of their factors",
}


def sweep_table(record: Mapping[str, Any]) -> Table:
    """One row per configuration.

    Args:
        record: From `run_sweep`.
    """
    columns = (
        *(axis.removesuffix("_bits") for axis in AXES),
        "accuracy",
        "equal decisions",
        "bytes",
        "multiplications",
        "additions",
        "bit products",
    )
    rows = tuple(_row(row) for row in record["configurations"])
    title = f"{record['task']}, {record['sequences']:,} validation sequences, PTQ"
    return Table(title, columns, rows)


def write_sweep_report(record: Mapping[str, Any], path: Path) -> None:
    """One self-contained HTML page.

    Args:
        record: From `run_sweep`.
        path: Where the page is written.
    """
    rows = record["configurations"]
    usable = [row for row in rows if "accuracy" in row]
    pictures = tuple(
        Picture(
            f"Accuracy against {cost.replace('_', ' ')}",
            pareto(
                [(row["name"], float(row[cost]), row["accuracy"]) for row in usable],
                front(usable, cost),
                shown,
            ),
            "One point per configuration: w weights, c coefficients, m messages, s state, in "
            "bits. What no other beats in both is connected.",
        )
        for cost, shown in COSTS.items()
    )
    report = Report(
        title=f"Widths of {record['task']}",
        summary=f"Post-training quantization at {len(rows)} sets of widths, starting from the "
        f"profile {record['profile']}. Every program streams the same validation sequences.",
        tables=(sweep_table(record),),
        pictures=pictures,
        environment=environment(),
    )
    write_report(report, path)


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    widths = tuple(str(row[axis]) for axis in AXES)
    if "error" in row:
        return (*widths, "no program", *["-"] * 5)
    return (
        *widths,
        percent(row["accuracy"]),
        percent(row["agreement"]),
        *(f"{row[k]:,}" for k in ("bytes", "multiplications", "additions", "bit_products")),
    )
