"""The table of seeds puts together what differs in the seed alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ns4d.bench.records import read_record
from ns4d.bench.seeds_table import COLUMNS, seeds_table

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
Record = dict[str, Any]


@pytest.fixture
def record() -> Record:
    """That of a real run; every test changes copies of it."""
    return read_record(RESULTS / "digits" / "record.json")


def seeded(record: Record, seed: int, float_accuracy: float, integer_accuracy: float) -> Record:
    other = copy.deepcopy(record)
    other["recipe"]["seed"] = seed
    other["figures"]["float_accuracy"] = float_accuracy
    other["figures"]["integer_accuracy"] = integer_accuracy
    return other


def test_a_row_has_mean_with_spread_over_the_seeds(record):
    records = [seeded(record, seed, 0.95 + seed / 100, 0.94 + seed / 100) for seed in (2, 0, 1)]
    (row,) = seeds_table(records).rows
    assert dict(zip(COLUMNS, row, strict=True)) == {
        "task": "digits",
        "parameters": "17,162",
        "epochs": "60",
        "test sequences": "359",
        "program": "loihi2, PTQ",
        "seeds": "0, 1, 2",
        "float, %": "96.00 ± 1.00",
        "integer, %": "95.00 ± 1.00",
        "lost, points": "1.00",
    }


def test_a_single_seed_has_no_row(record):
    assert seeds_table([record]).rows == ()
    assert seeds_table([]).rows == ()


def test_settings_younger_than_a_record_have_their_defaults(record):
    older = seeded(record, 1, 0.9, 0.9)
    for name in ("teacher", "distillation", "start"):
        record["recipe"].setdefault(name, {"distillation": 1.0}.get(name))
        older["recipe"].pop(name, None)
    assert record["recipe"].keys() != older["recipe"].keys()
    assert len(seeds_table([record, older]).rows) == 1


def rate(record: Record) -> None:
    record["recipe"]["optimizer"]["rate"] /= 2


def start(record: Record) -> None:
    record["recipe"]["start"] = "0" * 64


def profile(record: Record) -> None:
    record["figures"]["arithmetic"] = "wide"


def epoch(record: Record) -> None:
    record["journal"].remove(next(line for line in record["journal"] if line["kind"] == "epoch"))


def tuning(record: Record) -> None:
    record["fine_tuning"] = {"recipe": {"epochs": 1}, "journal": []}


def no_other_seed(record: Record) -> None:
    record["recipe"]["seed"] = 0


@pytest.mark.parametrize("change", [rate, start, profile, epoch, tuning, no_other_seed])
def test_what_differs_otherwise_is_kept_apart(record: Record, change: Callable[[Record], None]):
    other = seeded(record, 1, 0.9, 0.9)
    assert len(seeds_table([record, other]).rows) == 1
    change(other)
    assert seeds_table([record, other]).rows == ()
