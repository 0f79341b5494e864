"""The table of trainings says what the journals say."""

from __future__ import annotations

import pytest
import torch

from ns4d.bench.documents import TABLES
from ns4d.bench.trainings_table import COLUMNS, trainings_table
from ns4d.model import Norm
from ns4d.train import Augmentation, Schedule, train
from ns4d.train.checkpoint import load_selected
from ns4d.train.journal import epochs_of, read_journal
from train.tiny import tiny_dataset, tiny_model, tiny_recipe


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("results")
    recipe = tiny_recipe(
        model=tiny_model(dropout=0.25, norm=Norm.BATCH),
        augmentation=Augmentation(shift=1, turn=4.5, flip=True),
        schedule=Schedule(epochs=3),
        bfloat16=True,
    )
    train(recipe, tiny_dataset(), folder / "second", show=False)
    train(tiny_recipe(), tiny_dataset(), folder / "first", show=False)
    (folder / "no-run").mkdir()
    return folder


def cells(row):
    return dict(zip(COLUMNS, row, strict=True))


def test_one_row_per_journal_in_order(results):
    assert [row[0] for row in trainings_table(results).rows] == ["first", "second"]


def test_a_row_is_what_the_journal_has(results):
    _, row = (cells(row) for row in trainings_table(results).rows)
    epochs = epochs_of(read_journal(results / "second"))
    assert row["augmentation"] == "shift 1, flip, turn 4.5"
    assert (row["dropout"], row["decay"], row["epochs"]) == ("0.25", "0.01", "3")
    assert row["norm"] == "batch"
    assert row["device"] == "CPU with 1 thread, bfloat16"
    best = max(epoch["validation_accuracy"] for epoch in epochs)
    assert row["validation, best epoch"] == f"{100 * best:.2f} %"
    assert row["train, last epoch"] == f"{100 * epochs[-1]['train_accuracy']:.2f} %"
    assert float(row["s per epoch"]) == pytest.approx(epochs[-1]["seconds"] / 3, rel=1e-2)


def test_what_is_off_is_not_shown(results):
    first, _ = (cells(row) for row in trainings_table(results).rows)
    assert (first["augmentation"], first["dropout"], first["norm"]) == ("none", "0", "none")
    assert first["device"] == "CPU with 1 thread"


def test_an_unfinished_training_says_so(results, tmp_path):
    (tmp_path / "cut").mkdir()
    lines = (results / "second" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut" / "metrics.jsonl").write_text("".join(lines[:-1]))
    (row,) = trainings_table(tmp_path).rows
    assert cells(row)["epochs"] == "2 of 3"


def test_what_began_with_a_trained_network_says_so(results, tmp_path):
    start = load_selected(results / "first")
    recipe = tiny_recipe(start=start.digest, schedule=Schedule(epochs=2))
    train(recipe, tiny_dataset(), tmp_path / "third", start=start, show=False)
    (row,) = trainings_table(tmp_path).rows
    assert cells(row)["epochs"] == "+2"


def test_several_processes_are_counted(results, tmp_path):
    (tmp_path / "two").mkdir()
    text = (results / "first" / "metrics.jsonl").read_text()
    written = text.replace('"processes": 1', '"processes": 2')
    assert written != text
    (tmp_path / "two" / "metrics.jsonl").write_text(written)
    (row,) = trainings_table(tmp_path).rows
    assert cells(row)["device"] == "2 processes on CPU with 1 thread"


def test_it_is_a_table_of_the_documents(repository):
    table = TABLES["trainings"](repository / "benchmarks" / "results")
    assert {row[0] for row in table.rows} >= {"smnist", "psmnist", "scifar", "scifar-first"}
