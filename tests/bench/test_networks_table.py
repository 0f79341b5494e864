"""The table of long trainings: whose rows, in which order, which figures."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from ns4d.bench.networks_table import COLUMNS, LONG, networks_table
from ns4d.bench.records import read_record

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
Record = dict[str, Any]


@pytest.fixture
def record() -> Record:
    """That of a real run, of 60 epochs; every test changes copies of it."""
    return read_record(RESULTS / "digits" / "record.json")


def changed(record: Record, where: str, **values: Any) -> Record:
    other = copy.deepcopy(record)
    place = other
    for name in where.split("."):
        place = place[name]
    place.update(values)
    return other


def selecting(record: Record, accuracy: float) -> Record:
    """With one epoch of this validation accuracy, amid worse ones."""
    other = copy.deepcopy(record)
    epochs = [line for line in other["journal"] if line["kind"] == "epoch"]
    for epoch in epochs:
        epoch["validation_accuracy"] = accuracy - 0.1
    epochs[len(epochs) // 2]["validation_accuracy"] = accuracy
    return other


def runs(*records: Record) -> list[str]:
    named = ((f"run {k}", record) for k, record in enumerate(records))
    return [row[0] for row in networks_table("digits", named).rows]


def test_a_row_has_the_figures_of_the_record(record):
    variant = changed(record, "recipe.model", residual=True, norm="batch")
    variant = changed(variant, "figures", float_accuracy=0.5, integer_accuracy=0.25)
    (row,) = networks_table("digits", [("mine", selecting(variant, 0.75))]).rows
    assert dict(zip(COLUMNS, row, strict=True)) == {
        "run": "mine",
        "network": "norm=batch residual=True",
        "seed": "0",
        "epochs": "60",
        "validation, best epoch": "75.00 %",
        "test, float": "50.00 %",
        "test, integers": "25.00 %",
    }


def test_the_recipes_own_network_is_plain(record):
    (row,) = networks_table("digits", [("mine", record)]).rows
    assert dict(zip(COLUMNS, row, strict=True))["network"] == "plain"


def test_a_teacher_is_told(record):
    taught = changed(record, "recipe", teacher="0" * 64)
    taught = changed(taught, "recipe.model", dropout=0.25)
    (row,) = networks_table("digits", [("mine", taught)]).rows
    assert dict(zip(COLUMNS, row, strict=True))["network"] == "dropout=0.25 with a teacher"


def test_the_order_is_that_of_validation_whatever_the_test_part_says(record):
    best_on_test = changed(selecting(record, 0.5), "figures", integer_accuracy=1.0)
    assert runs(selecting(record, 0.7), best_on_test, selecting(record, 0.6)) == [
        "run 1",
        "run 2",
        "run 0",
    ]


def test_short_trainings_and_other_programs_have_no_row(record):
    assert runs(
        changed(record, "recipe.schedule", epochs=LONG - 1),
        changed(record, "recipe.schedule", epochs=LONG),
        changed(record, "recipe", task="smnist"),
        changed(record, "figures", arithmetic="wide"),
        record | {"fine_tuning": {}},
    ) == ["run 1"]
