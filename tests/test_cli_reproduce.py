"""The command `ns4d reproduce`: tables, files, errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ns4d.bench import verify
from ns4d.bench.reproduction_report import tables
from ns4d.cli import app
from ns4d.errors import ConfigError
from ns4d.zoo import find


@pytest.fixture(autouse=True)
def _short_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines are compared on the first tokens only; `tests/bench/test_verify.py` has the rest."""
    monkeypatch.setattr(verify, "TOKENS", 12)


def run(*arguments: str):
    return CliRunner().invoke(app, ["reproduce", "--threads", "1", *arguments])


def test_one_task_gives_its_records_and_files(tmp_path: Path):
    ran = run("--task", "digits", "--out", str(tmp_path), "--json")
    assert ran.exit_code == 0, ran.output
    records, models = json.loads(ran.stdout), ("digits-mini", "digits-mini-qaft")
    for record, name in zip(records, models, strict=True):
        assert record["figures"]["integer_correct"] == find(name).card.integer_correct
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {*(f"{name}.json" for name in models), "report.html", "results.md"}
    text = (tmp_path / "results.md").read_text("utf-8")
    for table in tables(records):
        assert f"## {table.title}" in text


@pytest.mark.parametrize("task", ["imagenet", "", "digits-mini"])
def test_an_unknown_task_writes_nothing(task: str, tmp_path: Path):
    ran = run("--task", task, "--out", str(tmp_path / "out"))
    assert ran.exit_code == 1
    assert isinstance(ran.exception, ConfigError)
    assert "--task" in str(ran.exception)
    assert not (tmp_path / "out").exists()


def test_a_place_that_takes_no_files_is_an_error(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("in the way", "utf-8")
    ran = run("--task", "digits", "--out", str(file))
    assert ran.exit_code == 1
    assert isinstance(ran.exception, ConfigError)  # before anything is measured
    assert file.read_text("utf-8") == "in the way"
