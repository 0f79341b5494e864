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


def test_the_costs_are_those_of_the_task_of_the_papers_tables(results):
    """Whose models take other times than ours of other tasks."""
    costs = {"results-tokens": "this CPU", "results-samples": "this CPU, batch 1"}
    for table, system in costs.items():
        latencies = {
            record["model"]: latency
            for record in records(results)
            for row in record["rows"]
            if row["name"] == system
            for latency in [1000 * row["latency_s"]["value"]]
        }
        (shown,) = (float(row[2]) for row in TABLES[table](results).rows if row[0] == system)
        nearest = min(latencies, key=lambda model: abs(latencies[model] - shown))
        assert nearest == "scifar-large"
        assert shown == pytest.approx(latencies[nearest], rel=1e-3)


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
