"""How far trainings that differ in their seed alone lie apart: one row per recipe."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from ns4d.bench.tables import Table
from ns4d.bench.trainings_table import epochs_done
from ns4d.bench.variants_table import spread
from ns4d.train import Recipe
from ns4d.train.settings import from_plain

COLUMNS = (
    *("task", "parameters", "epochs", "test sequences", "program", "seeds"),
    *("float, %", "integer, %", "lost, points"),
)


def seeds_table(records: Iterable[Mapping[str, Any]]) -> Table:
    """One row per recipe of which several seeds were trained and evaluated.

    Args:
        records: From `ns4d.bench.runs.write_record`. Fine-tuned programs are passed over; of
            several with one profile, recipe and seed, the first counts.

    Returns:
        Accuracies on the test part: the mean over the seeds with the sample standard deviation.
        Nothing is selected among them.
    """
    groups: dict[Hashable, dict[int, Mapping[str, Any]]] = {}
    for record in records:
        if "fine_tuning" not in record:
            group = groups.setdefault(_but_for_the_seed(record), {})
            group.setdefault(record["recipe"]["seed"], record)
    several = (list(group.values()) for group in groups.values() if len(group) > 1)
    return Table("Several seeds", COLUMNS, tuple(_row(group) for group in several))


def _but_for_the_seed(record: Mapping[str, Any]) -> Hashable:
    """Whatever else tells a recipe, its profile and the length of its training from others."""
    recipe = replace(from_plain(Recipe, record["recipe"]), seed=0)
    return recipe, epochs_done(record["journal"], record["recipe"]), record["figures"]["arithmetic"]


def _row(group: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    first, figures = group[0], [record["figures"] for record in group]
    lost = mean(each["float_accuracy"] - each["integer_accuracy"] for each in figures)
    return (
        first["recipe"]["task"],
        f"{first['parameters']:,}",
        epochs_done(first["journal"], first["recipe"]),
        f"{figures[0]['test_sequences']:,}",
        f"{figures[0]['arithmetic']}, PTQ",
        ", ".join(str(seed) for seed in sorted(record["recipe"]["seed"] for record in group)),
        spread([each["float_accuracy"] for each in figures]),
        spread([each["integer_accuracy"] for each in figures]),
        f"{100 * lost:.2f}",
    )
