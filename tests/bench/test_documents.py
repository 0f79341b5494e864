"""Documents show what the records hold; records belong to the files beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ns4d
from ns4d.bench.documents import (
    BLOCK,
    DOCUMENTS,
    TABLES,
    accuracy_table,
    regenerate,
    rewrite_documents,
    to_markdown,
)
from ns4d.bench.tables import Table
from ns4d.errors import DataError
from ns4d.train import load_network
from ns4d.train.checkpoint import load_selected
from ns4d.train.journal import read_journal
from ns4d.zoo import find, names

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
RECORDS = sorted(RESULTS.glob("*/record*.json"))
SWEEPS = sorted(RESULTS.glob("sweep_*.json"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_up_to_date(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert BLOCK.search(text)
    assert regenerate(text, RESULTS) == text, "run `make results`"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_record_belongs_to_its_files(path: Path) -> None:
    record, run = json.loads(path.read_text()), path.parent
    figures = record["figures"]
    network, recipe = load_network(run)
    name = path.stem.removeprefix("record").removeprefix("-") or "loihi2"
    program = ns4d.load(run / f"{name}.ns4d")
    assert program.arithmetic.name == figures["arithmetic"]
    assert name.startswith("qaft-") == figures.get("fine_tuned", False)
    assert program.digest == figures["digest"]
    assert network.parameter_count == record["parameters"]
    assert recipe.task == program.metadata.task == figures["task"] == run.name.split("-")[0]
    assert record["journal"] == read_journal(run)
    epochs = [line for line in record["journal"] if line["kind"] == "epoch"]
    assert 1 <= len(epochs) <= recipe.schedule.epochs
    row = next(row for row in accuracy_table(RESULTS).rows if row[0] == run.name)
    whole = len(epochs) == recipe.schedule.epochs
    done = f"{len(epochs)}" if recipe.start is None else f"+{len(epochs)}"
    assert row[2] == (done if whole else f"{done} of {recipe.schedule.epochs}")
    assert figures["float_accuracy"] == figures["float_correct"] / figures["test_sequences"]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_is_of_the_network_on_the_shelf(path: Path) -> None:
    record = json.loads(path.read_text())
    kept = load_selected(RESULTS / record["task"])
    shelved = {load_selected(find(name).folder).digest for name in names()}
    assert record["network"] == kept.digest
    assert kept.digest in shelved


def test_there_are_records() -> None:
    assert {path.parent.name for path in RECORDS} >= {"digits", "smnist"}
    assert {path.stem for path in SWEEPS} >= {"sweep_smnist", "sweep_psmnist", "sweep_scifar"}


def test_markdown_of_a_table() -> None:
    table = Table("T", ("a", "b"), (("1", "2"),))
    assert to_markdown(table) == "| a | b |\n|---|---|\n| 1 | 2 |\n\nAll numbers measured.\n"


def test_rewriting_changes_stale_documents_once(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results").symlink_to(RESULTS)
    (tmp_path / "docs").mkdir()
    for name in DOCUMENTS:
        block = "before\n<!-- generated: training-step -->\nold\n<!-- end -->\nafter\n"
        (tmp_path / name).write_text(block)
    assert len(rewrite_documents(tmp_path)) == len(DOCUMENTS)
    text = (tmp_path / DOCUMENTS[0]).read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "textbook" in text
    assert rewrite_documents(tmp_path) == []


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"training_step\.json: expected a JSON record"):
        TABLES["training-step"](tmp_path)
