"""The command line: what it prints, what it leaves behind, how it fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ns4d
from ns4d import cli

QUICK = ["schedule.epochs=1", "model.channels=4", "model.modes=2", "model.layers=1"]


def call(*arguments: str) -> int:
    """Run a command in this process; its exit code."""
    before, sys.argv = sys.argv, ["ns4d", *arguments]
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network trained on digits by the command itself."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert call("train", "digits", *QUICK, "--out", str(folder), "--threads", "1") == 0
    return folder


def last_json(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_training_again_finds_the_work_done(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "digits", *QUICK, "--out", str(run), "--json") == 0
    facts = last_json(capsys)
    assert facts["run"] == str(run)
    assert facts["steps"] == 20


def test_quantize_evaluate_show(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    assert call("quantize", str(run), "--ptq", "--profile", "wide", "--json") == 0
    path = run / "wide.ns4d"
    assert last_json(capsys)["digest"] == ns4d.load(path).digest
    command = ("evaluate", str(run), "--program", str(path), "--record", str(record), "--json")
    assert call(*command) == 0
    facts = last_json(capsys)
    assert facts["test_sequences"] == 359
    assert facts["tokens"] == 359 * 64
    assert facts["float_accuracy"] == facts["float_correct"] / 359
    written = json.loads(record.read_text())
    assert written["figures"] == facts
    assert written["recipe"]["model"]["channels"] == 4
    assert [line["kind"] for line in written["journal"]][:2] == ["start", "epoch"]
    assert call("show", str(path)) == 0
    assert facts["digest"] in capsys.readouterr().out


def test_your_own_sequences_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    tokens = random.normal(labels[:, None, None], 0.1, (60, 12, 2)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", tokens=tokens, labels=labels)
    out = tmp_path / "run"
    command = ("train", str(tmp_path / "mine.npz"), *QUICK, "batch=8", "--out", str(out))
    assert call(*command, "--json") == 0
    assert last_json(capsys)["steps"] == (60 - 12 - 5) // 8
    assert call("quantize", str(out), "--ptq") == 0
    assert (out / "loihi2.ns4d").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "smnits"), "expected one of digits, smnist.*Did you mean 'smnist'"),
        (("train", "digits", "schedule.epoch=3"), "no such name. Did you mean 'schedule.epochs'"),
        (("train", "digits", "model.norm=bach"), "Did you mean 'batch'"),
        (("train", "digits", "batch=many"), "override batch: expected a whole number"),
        (("train", "digits", "--device", "tpu"), "--device: expected cpu, auto, or cuda"),
        (("quantize", "nowhere"), "quantize: expected a method, got none. Add --ptq."),
        (("quantize", "nowhere", "--ptq"), "expected an ns4d checkpoint"),
        (("quantize", "nowhere", "--ptq", "--profile", "w"), "--profile: expected one of loihi2"),
        (("evaluate", "nowhere"), "expected an ns4d checkpoint, version ., got No such file"),
        (("show", "nowhere.ns4d"), "nowhere.ns4d: expected a file, got nothing"),
    ],
)
def test_mistakes_get_one_clear_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert error.count("\n") == 0
    assert re.search(message, error), error
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_a_checkpoint_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("show", str(run / "best.safetensors")) == 1
    assert "best.safetensors: expected" in capsys.readouterr().err


def test_help_is_quick_to_import() -> None:
    """`ns4d --help` loads neither torch nor matplotlib."""
    code = (
        "import sys, ns4d.cli\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
