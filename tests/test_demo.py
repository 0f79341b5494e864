"""The demonstration keeps its promise: at least 96 % on digits, integers within two points."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ns4d
from ns4d.data import load_task
from ns4d.demo import DemoResult, run_demo
from ns4d.quantize import stream_split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> dict[str, Any]:
    """The whole demonstration as `make demo` runs it, in a process without the tests' checks."""
    command = [sys.executable, "-W", "error", "-m", "ns4d", "demo", "--json", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def result(printed: dict[str, Any], folder: Path) -> DemoResult:
    """Its result, from the training that is finished by now."""
    return run_demo(folder, say=lambda line: None)


def test_the_command_prints_the_result(printed: dict[str, Any], result: DemoResult) -> None:
    assert printed == result.plain()


def test_accuracy(result: DemoResult) -> None:
    counts = result.agreement
    assert counts.sequences == 359
    assert counts.tokens == 359 * 64
    assert counts.float_accuracy >= 0.96
    assert abs(counts.integer_accuracy - counts.float_accuracy) <= 0.02


def test_the_saved_program_is_the_one_that_was_measured(result: DemoResult) -> None:
    test = load_task("digits").test
    scores = stream_split(ns4d.load(result.program), test)
    assert (scores.argmax(1) == test.labels).sum() == result.agreement.integer_correct


def test_the_report_shows_the_figures(result: DemoResult) -> None:
    page = result.report.read_text()
    for row in result.table.rows:
        assert all(cell in page for cell in row)
    assert page.count("<svg") == 2
    assert ns4d.load(result.program).digest in page


def test_a_second_call_uses_the_finished_training(result: DemoResult, folder: Path) -> None:
    best = folder / "best.safetensors"
    before = best.stat().st_mtime_ns
    again = run_demo(folder, say=lambda line: None)
    assert best.stat().st_mtime_ns == before
    assert again.agreement == result.agreement
