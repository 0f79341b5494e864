"""What sweeps found: a table, two Pareto plots, one HTML page; a table of several tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns4d.bench.figures import pareto
from ns4d.bench.report import Picture, Report, write_report
from ns4d.bench.sweep import AXES, front
from ns4d.bench.tables import Table, percent
from ns4d.environment import environment
from ns4d.errors import DataError

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
        "scores, dB",
        "most noise from",
        "bytes",
        "multiplications",
        "additions",
        "bit products",
    )
    rows = tuple(_row(row) for row in record["configurations"])
    title = f"{record['task']}, {record['sequences']:,} validation sequences, PTQ"
    return Table(title, columns, rows)


def tasks_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """One row per configuration, one column per task: how far each falls, and where.

    Args:
        records: From `run_sweep`, one per task.

    Raises:
        DataError: They are not of the same configurations.
    """
    names = {tuple(row["name"] for row in record["configurations"]) for record in records}
    if len(names) != 1:
        raise DataError(
            "sweeps",
            expected="the same widths for every task",
            got=f"{len(names)} different sets",
            fix="Run `ns4d sweep RUN --record FILE` for each with the same options.",
        )
    alike = zip(*(record["configurations"] for record in records), strict=True)
    rows = [(same[0]["name"], *map(_loss, same)) for same in alike]
    floats = (record["configurations"][0]["float_accuracy"] for record in records)
    columns = (
        "widths",
        *(f"{r['task']}, float {percent(f)}" for r, f in zip(records, floats, strict=True)),
    )
    return Table("PTQ at fewer bits", columns, tuple(rows))


def _loss(row: Mapping[str, Any]) -> str:
    if "error" in row:
        return "no program"
    where = f"{row['worst_node']} {row['worst_drop_db']:.0f} dB"
    return f"{percent(row['accuracy'])}; {row['scores_db']:.0f} dB; {where}"


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
        return (*widths, "no program", *["-"] * 7)
    return (
        *widths,
        percent(row["accuracy"]),
        percent(row["agreement"]),
        f"{row['scores_db']:.1f}",
        f"{row['worst_node']}, {row['worst_drop_db']:.1f} dB",
        *(f"{row[k]:,}" for k in ("bytes", "multiplications", "additions", "bit_products")),
    )
