"""The journal: one record per line, none lost, none twice, whatever cut it short."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from ns4d.errors import ConfigError
from ns4d.train import train
from ns4d.train.journal import NAME, Journal, epochs_of, read_journal
from ns4d.train.settings import to_plain
from train.runs import epochs
from train.tiny import EPOCHS, STEPS, STEPS_PER_EPOCH, restless_recipe, tiny_dataset


def record(step: int, kind: str = "epoch") -> dict:
    return {"kind": kind, "step": step, "loss": step / 3}


def steps(folder: Path) -> list[int]:
    return [found["step"] for found in read_journal(folder)]


def test_whole_epochs_are_told_from_other_records():
    records = [record(0, "start"), record(3), record(3, "start"), record(6)]
    assert epochs_of(records) == [record(3), record(6)]


def test_records_come_back(tmp_path):
    with Journal(tmp_path / "run", 0) as journal:
        journal.write(record(1))
        assert read_journal(tmp_path / "run") == [record(1)], "at once, not at the end"
        journal.write(record(2))
    assert read_journal(tmp_path / "run") == [record(1), record(2)]
    lines = (tmp_path / "run" / NAME).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record(1), record(2)]


def test_no_journal_has_no_records(tmp_path):
    assert read_journal(tmp_path) == []


def test_records_after_the_resume_point_are_dropped(tmp_path):
    with Journal(tmp_path, 0) as journal:
        for step in (0, 5, 10, 15):
            journal.write(record(step))
    with Journal(tmp_path, 10) as journal:
        assert steps(tmp_path) == [0, 5, 10]
        journal.write(record(10, "start"))
        journal.write(record(15))
    assert steps(tmp_path) == [0, 5, 10, 10, 15]


def test_a_record_cut_at_any_place_is_dropped(tmp_path):
    whole = "".join(json.dumps(record(step)) + "\n" for step in (1, 2))
    start = whole.index("\n") + 1
    for length in range(start, len(whole) - 1):
        (tmp_path / NAME).write_text(whole[:length])
        assert steps(tmp_path) == [1]
        with Journal(tmp_path, 9) as journal:
            journal.write(record(3))
        assert steps(tmp_path) == [1, 3]


def test_without_its_last_newline_a_record_is_complete(tmp_path):
    (tmp_path / NAME).write_text(json.dumps(record(1)))
    with Journal(tmp_path, 1) as journal:
        journal.write(record(2))
    assert steps(tmp_path) == [1, 2]


def test_a_resumed_training_survives_a_cut_record(finished, tmp_path):
    """With the records as a crash in the middle of the last line would leave them."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / NAME).read_text()
    (tmp_path / NAME).write_text(text[:-40])
    train(restless_recipe(), tiny_dataset(), tmp_path, show=False)
    assert [found["epoch"] for found in epochs(tmp_path)] == list(range(1, EPOCHS))
    assert read_journal(tmp_path)[-1]["kind"] == "epoch"  # a finished training adds nothing


def test_what_a_training_records(finished):
    first, *rest = read_journal(finished)
    assert (first["kind"], first["step"]) == ("start", 0)
    assert first["recipe"] == to_plain(restless_recipe())
    assert {"parameters", "device", "threads", "processes", "torch", "python"} <= first.keys()
    assert (first["threads"], first["processes"]) == (1, 1)
    assert [found["kind"] for found in rest] == ["epoch"] * EPOCHS
    assert [found["step"] for found in rest] == [
        STEPS_PER_EPOCH * (epoch + 1) for epoch in range(EPOCHS)
    ]
    for found in rest:
        assert 0 <= found["train_accuracy"] <= 1
        assert found["train_loss"] > 0
        assert found["validation_loss"] > 0
    seconds = [found["seconds"] for found in rest]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    last = restless_recipe().schedule.factor(STEPS - 1, STEPS)
    assert rest[-1]["rate"] == pytest.approx(restless_recipe().optimizer.rate * last)


def test_tensorboard_is_an_option(tmp_path, monkeypatch):
    """Asked for where it is not installed, nothing has been touched yet."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"--tensorboard: .* Install it with `pip install tensor"):
        train(restless_recipe(), tiny_dataset(), tmp_path, tensorboard=True, show=False)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_the_figures(tmp_path, monkeypatch):
    board = Board()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    with Journal(tmp_path, 0, tensorboard=True) as journal:
        journal.write(record(6))
    assert board.calls == [("open", str(tmp_path)), ("loss", 2.0, 6), ("close",)]


class Board:
    """Stands for the package, which is not among the test requirements."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def SummaryWriter(self, folder: str) -> Board:
        self.calls.append(("open", folder))
        return self

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.calls.append((name, value, step))

    def close(self) -> None:
        self.calls.append(("close",))
