"""The tables of docs/results.md, from the records that `ns4d reproduce` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ns4d.bench.records import read_record
from ns4d.bench.reproduction_report import (
    accuracy_table,
    cost_table,
    equality_table,
    models_table,
)
from ns4d.bench.tables import Table
from ns4d.loihi2.comparison import Item

FOLDER = "reproduction"


def records(results: Path) -> list[dict[str, Any]]:
    """One per model, in the order of their names; those of a quick look are refused by a test."""
    paths = sorted((results / FOLDER).glob("*.json"), key=lambda path: path.stem)
    return [read_record(path) for path in paths]


TABLES: Mapping[str, Callable[[Path], Table]] = MappingProxyType(
    {
        "results-accuracy": lambda results: accuracy_table(records(results)),
        "results-models": lambda results: models_table(records(results)),
        "results-equality": lambda results: equality_table(records(results)),
        "results-tokens": lambda results: cost_table(records(results), Item.TOKEN),
        "results-samples": lambda results: cost_table(records(results), Item.SAMPLE),
    }
)
