"""docs/results.md: made from the records of whole evaluations of what is on the shelf."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ns4d.bench.reproduction_documents import FOLDER, TABLES, records
from ns4d.errors import DataError
from ns4d.zoo import find, names


@pytest.fixture
def results(repository: Path) -> Path:
    return repository / "benchmarks/results"


def test_every_model_has_a_record_of_its_whole_test_part(results):
    found = records(results)
    assert tuple(record["model"] for record in found) == names()
    for record in found:
        card = find(record["model"]).card
        assert record["quick"] is False
        assert record["figures"]["digest"] == card.digest
        assert record["figures"]["test_sequences"] == card.test_sequences
        assert record["figures"]["integer_correct"] == card.integer_correct
        assert record["cores"] == card.cores


def test_every_table_of_the_page_is_made(results, repository):
    page = (repository / "docs/results.md").read_text("utf-8")
    for name, make in TABLES.items():
        assert f"<!-- generated: {name} -->" in page
        assert make(results).rows


def test_the_costs_are_those_of_the_models_task(results):
    by_model = {record["model"]: record for record in records(results)}
    ours = {row["name"] for row in by_model["scifar-large"]["rows"]}
    shown = {
        row[0]
        for name in ("results-tokens", "results-samples")
        for row in TABLES[name](results).rows
    }
    assert ours <= shown


def test_no_record_no_row(tmp_path):
    assert records(tmp_path) == []
    assert TABLES["results-models"](tmp_path).rows == ()


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "broken.json").write_text("{", "utf-8")
    with pytest.raises(DataError, match=r"broken\.json"):
        records(tmp_path)


def test_a_record_is_plain_json(results):
    for path in (results / FOLDER).glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        assert {"model", "quick", "figures", "equal_integers", "cores", "rows"} <= set(record)
