"""What trainings took, what they gave: one row per journal in `benchmarks/results`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ns4d.bench.tables import Table, percent
from ns4d.train.journal import NAME, epochs_of, read_journal, selected_accuracy

COLUMNS = (
    *("run", "parameters", "device", "norm", "dropout", "augmentation", "decay", "epochs"),
    *("s per epoch", "train, last epoch", "validation, best epoch"),
)


def trainings_table(results: Path) -> Table:
    """One row per run whose journal is kept.

    Args:
        results: Folder of runs.

    Returns:
        Course and outcome as the journals have them; nothing here was seen by a test part.
    """
    folders = sorted(path.parent for path in results.glob(f"*/{NAME}"))
    rows = (_row(folder.name, read_journal(folder)) for folder in folders)
    return Table("Trainings", COLUMNS, tuple(rows))


def _row(name: str, journal: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    started, epochs = journal[0], epochs_of(journal)
    recipe, last = started["recipe"], epochs[-1]
    return (
        name,
        f"{started['parameters']:,}",
        _devices(journal) + (", bfloat16" if recipe.get("bfloat16") else ""),
        recipe["model"]["norm"],
        f"{recipe['model']['dropout']:g}",
        switched_on(recipe["augmentation"]),
        f"{recipe['optimizer']['decay']:g}",
        epochs_done(journal, recipe),
        f"{last['seconds'] / len(epochs):.3g}",
        percent(last["train_accuracy"]),
        percent(selected_accuracy(journal)),
    )


def epochs_done(journal: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any]) -> str:
    """How many epochs a network was trained; of how many, where the training was not finished.

    Returns:
        "20", "55 of 80", or "+10" for those after the ones of the network that it began with.
    """
    done, planned = len(epochs_of(journal)), recipe["schedule"]["epochs"]
    return counted(done, recipe) + ("" if done == planned else f" of {planned}")


def counted(epochs: int, recipe: Mapping[str, Any]) -> str:
    """A number of epochs, with a plus where the recipe begins with a trained network."""
    return f"+{epochs}" if recipe.get("start") else f"{epochs}"


def _devices(journal: Sequence[Mapping[str, Any]]) -> str:
    """All on which it ran, one after the other."""
    return "; ".join(dict.fromkeys(_device(record) for record in journal if "device" in record))


def _device(record: Mapping[str, Any]) -> str:
    name, processes = record["device"], record.get("processes", 1)
    is_cpu = name in ("x86_64", "aarch64", "arm64") or "CPU" in name
    name = f"CPU with {_number(record['threads'], 'thread')}" if is_cpu else name
    return name if processes == 1 else f"{_number(processes, 'process')} on {name}"


def _number(count: int, what: str) -> str:
    plural = "" if count == 1 else "es" if what.endswith("s") else "s"
    return f"{count} {what}{plural}"


def switched_on(augmentation: Mapping[str, Any]) -> str:
    """What is changed in the images of a training."""
    active = [
        name if value is True else f"{name} {value:g}"
        for name, value in augmentation.items()
        if value
    ]
    return ", ".join(active) or "none"
