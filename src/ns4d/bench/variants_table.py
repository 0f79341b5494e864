"""What variants gain, what they cost: one row each, mean with spread over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from ns4d.bench.tables import Origin, Table

COLUMNS = ("variant", "seeds", "float, %", "integer, %", "cores", "µs/token", "µJ/token")
MICRO = 1e-6


def variants_table(record: Mapping[str, Any]) -> Table:
    """One row per variant, in the order of their trainings.

    Args:
        record: From `study_variants`.

    Returns:
        Accuracies on the validation part, the mean and, over several seeds, the
        sample standard deviation. Cores, latency, energy: of a token on the model of Loihi 2,
        one at a time, the mean over the seeds.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in record["runs"]:
        groups.setdefault(run["variant"], []).append(run)
    rows = tuple(_row(name, runs) for name, runs in groups.items())
    sequences = record["runs"][0]["sequences"]
    title = f"Variants of {record['task']}, {sequences:,} validation sequences"
    return Table(title, COLUMNS, rows, Origin.CHIP_SIMULATED)


def _row(name: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return (
        name,
        str(len(runs)),
        spread([run["float_accuracy"] for run in runs]),
        spread([run["integer_accuracy"] for run in runs]),
        f"{mean(run['cores'] for run in runs):.3g}",
        f"{mean(run['token_s'] for run in runs) / MICRO:.3g}",
        f"{mean(run['token_j'] for run in runs) / MICRO:.3g}",
    )


def spread(fractions: Sequence[float]) -> str:
    """Mean and, where there are several, sample standard deviation, in percent.

    >>> spread([0.97, 0.98, 0.99])
    '98.00 ± 1.00'
    """
    percents = [100 * fraction for fraction in fractions]
    deviation = f" ± {stdev(percents):.2f}" if len(percents) > 1 else ""
    return f"{mean(percents):.2f}{deviation}"
