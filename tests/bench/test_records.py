"""Records are read whole, or refused with their name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ns4d.bench.records import read_record
from ns4d.errors import DataError

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_record_of_the_repository_can_be_read(path: Path) -> None:
    assert read_record(path) == json.loads(path.read_text("utf-8"))


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: expected a JSON record, got .*No such file"):
        read_record(tmp_path / "gone.json")


@pytest.mark.parametrize("text", ["", "{", '{"a": 1'])
def test_half_a_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "half.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"half\.json: expected a JSON record"):
        read_record(path)
