"""What a person sees: a bar in a terminal, lines elsewhere, nothing when told so."""

from __future__ import annotations

import contextlib
import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ns4d.train import display as module
from ns4d.train import train
from ns4d.train.display import Display, duration
from train.tiny import EPOCHS, tiny_dataset, tiny_recipe

FIGURES = (
    r"epoch {}/3  step {}/15  loss \d+\.\d{{4}}  accuracy \d+\.\d\d%  \d+ samples/s  left [\d a-z]+"
)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_line_says_where_the_training_stands(clock, capsys):
    """20 steps done before; since then 10 in 40 s, each of 64 sequences; 70 to go."""
    with Display(steps=100, per_epoch=25, done=20, show=True) as display:
        clock.now += 40
        display.step(30, 0.25, 0.875, 64)
    assert capsys.readouterr().err == (
        "epoch 2/4  step 30/100  loss 0.2500  accuracy 87.50%  16 samples/s  left 4 min 40 s\n"
    )


def test_lines_come_at_intervals(clock, capsys):
    with Display(steps=100, per_epoch=25, done=0, show=True) as display:
        for step in range(1, 101):
            clock.now += module.LINE_SECONDS / 8
            display.step(step, 1.0, 0.5, 8)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 100 // 9
    assert [re.search(r"step (\d+)", line)[1] for line in lines[:2]] == ["9", "18"]


@pytest.mark.parametrize(("step", "epoch"), [(1, 1), (25, 1), (26, 2), (99, 4), (100, 4)])
def test_a_step_belongs_to_its_epoch(clock, capsys, step, epoch):
    with Display(steps=100, per_epoch=25, done=0, show=True) as display:
        clock.now += 60
        display.step(step, 1.0, 0.5, 8)
    assert capsys.readouterr().err.startswith(f"epoch {epoch}/4  step {step}/100")


def test_a_training_in_a_log_file(tmp_path, monkeypatch, capsys):
    """Every step is due: each line is whole, and nothing but lines is written."""
    monkeypatch.setattr(module, "LINE_SECONDS", -1.0)
    train(tiny_recipe(), tiny_dataset(), tmp_path)
    lines = capsys.readouterr().err.splitlines()
    expected = []
    for epoch in range(1, EPOCHS + 1):
        expected += [FIGURES.format(epoch, step) for step in range(5 * epoch - 4, 5 * epoch + 1)]
        expected.append(
            rf"epoch {epoch}/3  train loss \d\.\d{{4}} accuracy \d+\.\d\d%  "
            r"validation loss \d\.\d{4} accuracy \d+\.\d\d%"
        )
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line


def test_epochs_are_logged_however_fast(tmp_path, capsys):
    train(tiny_recipe(), tiny_dataset(), tmp_path)
    assert [line[:11] for line in capsys.readouterr().err.splitlines()] == [
        f"epoch {epoch}/3  " for epoch in (1, 2, 3)
    ]


def test_silence_lasts(clock, capfd):
    with Display(steps=100, per_epoch=25, done=0, show=False) as display:
        clock.now += 1e6
        display.step(1, 1.0, 0.5, 8)
        display.epoch("the end of an epoch")
    assert capfd.readouterr() == ("", "")


def test_silence(tmp_path, capfd):
    train(tiny_recipe(), tiny_dataset(), tmp_path, show=False)
    assert capfd.readouterr() == ("", "")


def read_to_end(screen: io.FileIO) -> str:
    """What a terminal shows until its other side is closed, which Linux reports as an error."""
    pieces = []
    with contextlib.suppress(OSError):
        while piece := screen.read(4096):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_a_bar_in_a_terminal(tmp_path: Path, monkeypatch):
    """A pseudo-terminal, 120 columns wide, is a terminal to everyone who asks."""
    for name, value in (("TERM", "xterm"), ("COLUMNS", "120"), ("LINES", "30")):
        monkeypatch.setenv(name, value)
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, ThreadPoolExecutor() as reader:
        reading = reader.submit(read_to_end, screen)
        with os.fdopen(theirs, "w") as terminal, contextlib.redirect_stderr(terminal):
            train(tiny_recipe(), tiny_dataset(), tmp_path)
        shown = reading.result()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert re.search(FIGURES.format(3, 15), text)
    assert "━" in text
    kept = re.findall(r"epoch (\d)/3  train loss \d\.\d{4} accuracy", text)
    assert kept == ["1", "2", "3"]
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor comes back"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
