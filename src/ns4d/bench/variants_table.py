"""What variants gain, what they cost: one row each, mean with spread over the seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from ns4d.bench.tables import Origin, Table
from ns4d.train.settings import differences

COLUMNS = ("variant", "seeds", "float, %", "integer, %", "cores", "µs/token", "µJ/token")
VARIED = ("model", "augmentation")  # all that variants change, but for the teacher
MICRO = 1e-6


def variants_table(record: Mapping[str, Any]) -> Table:
    """One row per variant, in the order of their trainings.

    Trainings by another recipe, such as of more epochs, have a row of their own, which says what
    is other.

    Args:
        record: From `study_variants`.

    Returns:
        Accuracies on the validation part, the mean and, over several seeds, the
        sample standard deviation. Cores, latency, energy: of a token on the model of Loihi 2,
        one at a time, the mean over the seeds.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    firsts: dict[str, Mapping[str, Any]] = {}
    for run in record["runs"]:
        groups.setdefault(key_of(run, "seed"), []).append(run)
        firsts.setdefault(run["variant"], run)
    first = record["runs"][0]
    rows = tuple(
        _row(_label(first, firsts[name], runs[0]), runs) for (name, _), runs in groups.items()
    )
    title = f"Variants of {record['task']}, {first['sequences']:,} validation sequences"
    return Table(title, COLUMNS, rows, Origin.CHIP_SIMULATED)


def key_of(run: Mapping[str, Any], *ignored: str) -> tuple[str, str]:
    """What no two entries of a record have in common: the variant with its recipe.

    Args:
        run: An entry.
        ignored: Settings that do not count. Nor does the teacher, whose digest is another one for
            every seed, and if it is trained anew.
    """
    return run["variant"], json.dumps(_settings(run, *ignored), sort_keys=True)


def _settings(run: Mapping[str, Any], *ignored: str) -> dict[str, Any]:
    left_out = {"teacher", *ignored}
    return {name: value for name, value in run["recipe"].items() if name not in left_out}


def _label(first: Mapping[str, Any], usual: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The variant, with where its recipe is not that of the first entry, varied as usual."""
    varied = {name: usual["recipe"][name] for name in VARIED}
    told = differences({**_settings(first, "seed"), **varied}, _settings(run, "seed"))
    return f"{run['variant']}: {told}" if told else run["variant"]


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
