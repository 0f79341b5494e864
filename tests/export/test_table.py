"""The table of exporters, and the command that reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import ns4d
from ns4d import cli
from ns4d.errors import ConfigError
from ns4d.export import EXPORTERS, Export, Exporter, Request
from ns4d.export import table as table_module
from ns4d.export.table import exporter_of
from program_strategies import random_program


def planted(program: ns4d.Program, request: Request) -> Export:
    """Writes what it was given."""
    shape = None if request.tokens is None else str(request.tokens.shape)
    return Export({"digest.txt": program.digest.encode()}, {"name": request.name, "tokens": shape})


PLANTED = Exporter("what it was given", frozenset({"name", "tokens"}), planted)


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(table_module, "EXPORTERS", {"planted": PLANTED})
    path = tmp_path / "model.ns4d"
    ns4d.save(random_program(np.random.default_rng(0), channels=2, modes=2), path)
    return path


def call(*arguments: str) -> int:
    before, sys.argv = sys.argv, ["ns4d", "export", *arguments]
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


def test_every_row_says_what_it_is_and_what_it_reads():
    for name, exporter in EXPORTERS.items():
        assert name.isidentifier()
        assert exporter.summary
        assert exporter.takes <= set(Request.__dataclass_fields__)


def test_the_command_writes_the_folder_and_prints_the_facts(model, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((5, 1)))
    out = tmp_path / "out"
    command = (str(model), "--to", "planted", "-o", str(out), "--name", "mine")
    assert call(*command, "--input", str(tmp_path / "x.npy"), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "format": "planted",
        "folder": str(out),
        "files": "digest.txt",
        "name": "mine",
        "tokens": "(5, 1)",
    }
    assert (out / "digest.txt").read_text() == ns4d.load(model).digest
    assert call(*command) == 1
    assert "Add --replace" in capsys.readouterr().err
    assert call(*command, "--replace") == 0
    assert "digest.txt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "fortran"), "--to: expected one of planted, got 'fortran'"),
        (("--to", "planted", "--name", "9lives"), "--name: expected a small letter"),
        (("--to", "planted", "--ram", "-1"), "--ram: expected bytes, got -1"),
        (("--to", "planted", "--flash", "7"), "got flash_bytes. Leave out what this format"),
        (("--to", "planted", "--input", "none.npy"), "none.npy: expected a .npy file"),
    ],
)
def test_a_bad_request_writes_nothing(model, tmp_path, capsys, arguments, message):
    assert call(str(model), "-o", str(tmp_path / "out"), *arguments) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.ns4d"]


def test_a_bad_model_writes_nothing(model, tmp_path, capsys):
    model.write_bytes(model.read_bytes()[:-1])
    assert call(str(model), "--to", "planted", "-o", str(tmp_path / "out")) == 1
    assert "model.ns4d" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.ns4d"]


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="--to: expected one of"):
        exporter_of("fortran")


def test_what_a_format_does_not_take_is_refused():
    program = random_program(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="got ram_bytes"):
        PLANTED.export(program, Request(ram_bytes=8))
