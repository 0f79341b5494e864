"""What fine-tunings gained: one row per record of a fine-tuned program.

The validation part selects the epoch; the test part is looked at by `ns4d evaluate --record` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ns4d.bench.sweep import AXES
from ns4d.bench.tables import Table, percent
from ns4d.bench.trainings_table import switched_on
from ns4d.numerics import LOIHI2, PROFILES
from ns4d.quantize import OBSERVERS, Options
from ns4d.quantize.qaft_recipe import RATE
from ns4d.train.journal import epochs_of

# What in the text of `Options` departs from the command's defaults -> how the command says it.
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "fold_b=False": "--keep-b",
        "certified=True": "--certified",
        "certified=False": "--calibrated",
        **{
            f"observer={observer!r}": f"--observer {name}"
            for name, observer in OBSERVERS.items()
            if observer != Options().observer
        },
    }
)
COLUMNS = (
    "run",
    "profile",
    "bits of weights, coefficients, messages, state",
    "augmentation",
    "epochs",
    "steps",
    "seconds",
    "float, validation",
    "PTQ at the start, validation",
    "QAFT, validation",
    "float, test",
    "QAFT, test",
    "command",
)


def fine_tuning_table(records: Iterable[tuple[str, Mapping[str, Any]]]) -> Table:
    """One row per record that holds a fine-tuning.

    Args:
        records: Each with the name of its run, from `ns4d.bench.runs.write_record`; others are
            passed over.
    """
    rows = tuple(_row(run, record) for run, record in records if "fine_tuning" in record)
    return Table("Fine-tuned programs", COLUMNS, rows)


def _row(run: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    figures, tuning = record["figures"], record["fine_tuning"]
    recipe, arithmetic = tuning["recipe"], tuning["recipe"]["arithmetic"]
    start = next(line for line in tuning["journal"] if line["kind"] == "start")
    epochs = epochs_of(tuning["journal"])
    return (
        run,
        arithmetic["name"],
        ", ".join(str(arithmetic[axis]) for axis in AXES),
        switched_on(recipe["training"]["augmentation"]),
        str(len(epochs)),
        f"{epochs[-1]['step']:,}",
        f"{epochs[-1]['seconds']:,.0f}",
        percent(start["float_accuracy"]),
        percent(start["start_accuracy"]),
        percent(max(line["validation_accuracy"] for line in epochs)),
        percent(figures["float_accuracy"]),
        percent(figures["integer_accuracy"]),
        f"`{command(recipe)}`",
    )


def command(recipe: Mapping[str, Any]) -> str:
    """The command that a fine-tuning came from, but for its folders and where it computed.

    Args:
        recipe: From `QaftRecipe.plain`.
    """
    arithmetic, epochs = recipe["arithmetic"], recipe["training"]["schedule"]["epochs"]
    words, rate = ["ns4d quantize RUN", f"--qaft {epochs}"], recipe["training"]["optimizer"]["rate"]
    words += [] if rate == RATE else [f"--rate {rate!r}"]
    # A profile with other widths is named after the one that it comes from.
    base = PROFILES.get(arithmetic["name"].partition("-")[0])
    if base is None:
        words += [f"--profile {arithmetic['name']}.json"]
    else:
        words += [] if base == LOIHI2 else [f"--profile {base.name}"]
        words += [
            f"--{axis.replace('_', '-')} {arithmetic[axis]}"
            for axis in AXES
            if arithmetic[axis] != getattr(base, axis)
        ]
    words += [flag for text, flag in FLAGS.items() if text in recipe["options"]]
    words += [] if recipe["sequences"] == 64 else [f"--sequences {recipe['sequences']}"]
    return " ".join(words)
