"""What the networks of one task came to after long trainings: the paper's, its variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ns4d.bench.tables import Table, percent
from ns4d.bench.trainings_table import epochs_done
from ns4d.numerics import LOIHI2
from ns4d.train.journal import selected_accuracy
from ns4d.train.recipes import RECIPES
from ns4d.train.settings import to_plain

COLUMNS = (
    *("run", "network", "seed", "epochs", "validation, best epoch"),
    *("test, float", "test, integers"),
)
LONG = 10  # epochs; what a shorter training says of a network is in its study of variants


def networks_table(task: str, records: Iterable[tuple[str, Mapping[str, Any]]]) -> Table:
    """One row per long training that was evaluated, the best on the validation part last.

    Args:
        task: A built-in one; its recipe's network is called plain.
        records: Name of the run and `ns4d.bench.runs.write_record`'s record. Of the programs of a
            run, the one made by post-training quantization for `loihi2` counts.

    Returns:
        Accuracies of the selected epoch: on the validation part, which chooses, and on the whole
        test part.
    """
    wanted = [
        (name, record)
        for name, record in records
        if record["recipe"]["task"] == task
        and "fine_tuning" not in record
        and record["figures"]["arithmetic"] == LOIHI2.name
        and record["recipe"]["schedule"]["epochs"] >= LONG
    ]
    wanted.sort(key=lambda pair: selected_accuracy(pair[1]["journal"]))
    rows = tuple(_row(name, record) for name, record in wanted)
    return Table(f"Long trainings of {task}", COLUMNS, rows)


def _row(name: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    recipe, figures = record["recipe"], record["figures"]
    usual = to_plain(RECIPES[recipe["task"]].model)
    changed = [f"{key}={value}" for key, value in recipe["model"].items() if usual[key] != value]
    if recipe.get("teacher") is not None:
        changed.append("with a teacher")
    return (
        name,
        " ".join(changed) or "plain",
        f"{recipe['seed']}",
        epochs_done(record["journal"], recipe),
        percent(selected_accuracy(record["journal"])),
        percent(figures["float_accuracy"]),
        percent(figures["integer_accuracy"]),
    )
