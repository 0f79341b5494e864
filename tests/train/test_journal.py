"""The journal: one record per line, none lost, none twice, whatever cut it short."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ns4d
from ns4d.errors import ArtefactError, ConfigError
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


@pytest.mark.parametrize("rest", [b"", b"\n\n", b'{"kind": "epo', b"\xff", b"\0\0\0", b"7"])
def test_what_a_crash_left_after_the_last_line_is_dropped(tmp_path, rest):
    (tmp_path / NAME).write_bytes(json.dumps(record(1)).encode() + b"\n" + rest)
    assert steps(tmp_path) == [1]
    with Journal(tmp_path, 9) as journal:
        journal.write(record(3))
    assert steps(tmp_path) == [1, 3]


@pytest.mark.parametrize(
    "damaged",
    [
        *(b"7", b"null", b"\xff", b"[" * 9999, b'{"kind": "epo'),
        *(b'{"step": 1}', b'{"kind": "epoch"}', b'{"kind": "epoch", "step": "1"}'),
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_damaged_line_before_others_is_told_and_kept(tmp_path, damaged):
    """A resume would else go on without all that comes after it."""
    lines = [json.dumps(record(step)).encode() for step in (1, 2)]
    (tmp_path / NAME).write_bytes(b"\n".join([lines[0], damaged, lines[1]]))
    before = (tmp_path / NAME).read_bytes()
    told = r"metrics\.jsonl, line 2: expected a record with a kind and a step, as JSON, got b'"
    with pytest.raises(ArtefactError, match=told):
        read_journal(tmp_path)
    with pytest.raises(ArtefactError, match=told):
        Journal(tmp_path, 9)
    assert (tmp_path / NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_deleted_line_is_no_damage(tmp_path):
    lines = [json.dumps(record(step)) for step in (1, 2)]
    (tmp_path / NAME).write_text("\n\r\n".join(lines))
    assert steps(tmp_path) == [1, 2]


def test_a_journal_that_is_no_file_is_told(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(ArtefactError, match=r"metrics\.jsonl: expected a readable file, got Is a"):
        read_journal(tmp_path)


LIMITED = """
import resource
import sys
from pathlib import Path

from ns4d.train.journal import Journal

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a full disk is told the same way
with Journal(Path(sys.argv[1]), 0) as journal:
    journal.write({"kind": "start", "step": 0})
    journal.write({"kind": "epoch", "step": 1, "text": 2000 * "x"})
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX")
def test_a_disk_that_takes_no_more_leaves_what_was_there(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(ns4d.__file__).parents[1])},
        timeout=120,
        check=False,
    )
    last = ran.stderr.splitlines()[-1]
    assert last.startswith(f"ns4d.errors.ArtefactError: {tmp_path / NAME}: expected to write 2,")
    assert "got File too large. Free some space" in last
    assert read_journal(tmp_path) == [{"kind": "start", "step": 0}]
    assert (tmp_path / NAME).read_bytes().endswith(b"\n")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


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
    assert {"parameters", "device", "threads", "processes", "torch", "environment"} <= first.keys()
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
