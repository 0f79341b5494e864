"""`ns4d export --to onnx|nir|lava`, `ns4d import`: files that work, errors that write nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import ns4d
from ns4d import cli
from ns4d.engines import Reference
from ns4d.export.onnx.engine import open_session
from ns4d.numerics import WIDE
from program_strategies import random_program

REPOSITORY = Path(__file__).resolve().parents[2]
DIGITS = REPOSITORY / "benchmarks/results/digits"
PROGRAM = random_program(np.random.default_rng(0), WIDE, inputs=2, channels=3, residual=True)
FILES = {
    "onnx": ["chunk.onnx", "sequence.onnx", "step.onnx"],
    "nir": ["network.nir"],
    "lava": ["network.py", "parameters.npz"],
}


@pytest.fixture
def model(tmp_path) -> Path:
    path = tmp_path / "model.ns4d"
    ns4d.save(PROGRAM, path)
    return path


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command; returns exit code, output, errors."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ns4d", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("real", [False, True])
def test_the_files_on_the_disk_have_the_bits_of_the_program(model, call, tmp_path, real):
    code, out, err = call(
        *("export", model, "--to", "onnx", "-o", tmp_path / "out", "--json"),
        *(["--real"] if real else []),
    )
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["opset"], facts["ir_version"]) == (18, 8)
    assert facts["tokens"] == ("real, double" if real else "messages, int64")
    x = np.random.default_rng(1).normal(0, 2, (3, 7, 2))
    u = PROGRAM.quantize_input(x)
    session = open_session(onnx.load(tmp_path / "out" / "sequence.onnx"))
    scores, last = session.run(["scores", "last"], {"tokens": x if real else u})
    np.testing.assert_array_equal(scores, Reference().load(PROGRAM, 3).advance(u))
    np.testing.assert_array_equal(last, PROGRAM.run(x))


@pytest.mark.parametrize("to", FILES)
@pytest.mark.parametrize("what", ["program", "run"])
def test_programs_and_runs_are_exported(model, call, tmp_path, to, what):
    source = model if what == "program" else DIGITS
    code, out, err = call("export", source, "--to", to, "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "not expressed" in out
    assert files_in(tmp_path / "out") == FILES[to]


def test_a_program_comes_back_from_nir(model, call, tmp_path):
    call("export", model, "--to", "nir", "-o", tmp_path / "out")
    code, out, _ = call("import", tmp_path / "out/network.nir", "-o", tmp_path / "back.ns4d")
    assert code == 0
    assert PROGRAM.digest in out
    assert (tmp_path / "back.ns4d").read_bytes() == model.read_bytes()


def test_an_import_replaces_nothing(model, call, tmp_path):
    call("export", model, "--to", "nir", "-o", tmp_path / "out")
    code, _, err = call("import", tmp_path / "out/network.nir", "-o", model)
    assert code == 1
    assert "model.ns4d: expected a new file, got an existing one" in err


def test_an_import_of_something_else_writes_nothing(model, call, tmp_path):
    code, _, err = call("import", model, "-o", tmp_path / "back.ns4d")
    assert code == 1
    assert "expected a NIR graph in an HDF5 file" in err
    assert files_in(tmp_path) == ["model.ns4d"]


@pytest.mark.parametrize("to", FILES)
def test_an_existing_export_is_kept(model, call, tmp_path, to):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    code, _, err = call("export", model, "--to", to, "-o", tmp_path / "out")
    assert code == 1
    assert "mine.txt" in err
    assert files_in(tmp_path / "out") == ["mine.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "tflite"), "--to: expected one of"),
        (("--to", "nir", "--real"), "got real. Leave out what this format does not use"),
        (("--to", "lava", "--ram", "5"), "got ram_bytes"),
    ],
)
def test_a_bad_request_writes_nothing(model, call, tmp_path, words, message):
    code, _, err = call("export", model, "-o", tmp_path / "out", *words)
    assert code == 1
    assert message in err
    assert "Traceback" not in err
    assert files_in(tmp_path) == ["model.ns4d"]


def test_a_network_takes_normalized_tokens(call, tmp_path):
    code, _, err = call("export", DIGITS, "--to", "onnx", "--real", "-o", tmp_path / "out")
    assert code == 1
    assert "--real: expected a program" in err
    assert files_in(tmp_path) == []


def test_what_is_neither_program_nor_run_is_an_error(call, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.ns4d").write_text("text")
    for name in ("empty", "text.ns4d", "gone.ns4d"):
        code, _, err = call("export", tmp_path / name, "--to", "onnx", "-o", tmp_path / "out")
        assert code == 1
        assert name in err
    assert files_in(tmp_path) == ["empty", "text.ns4d"]


def in_process(code: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, after some code."""
    code = f"import sys\n{code}\nfrom ns4d import cli\nsys.argv[0] = 'ns4d'\ncli.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("to", "package"), [("onnx", "onnx"), ("nir", "nir"), ("nir", "h5py")], ids=str
)
def test_a_missing_package_is_named_with_its_extra(model, tmp_path, to, package):
    absent = f"sys.modules[{package!r}] = None"
    ran = in_process(absent, "export", model, "--to", to, "-o", tmp_path / "out")
    assert ran.returncode == 1
    assert f'got no {package}. Install them: pip install "ns4d[{to}]".' in ran.stderr
    assert "Traceback" not in ran.stderr
    assert files_in(tmp_path) == ["model.ns4d"]


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX")
@pytest.mark.parametrize("to", FILES)
def test_a_disk_that_takes_no_more_is_an_error(model, tmp_path, to):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    ran = in_process(limit, "export", model, "--to", to, "-o", tmp_path / "out")
    assert ran.returncode == 1
    assert "File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert files_in(tmp_path) == ["model.ns4d"]


def test_an_interrupt_leaves_nothing(model, call, tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    # Between the first file and the last.
    monkeypatch.setattr("os.replace", interrupted)
    code, out, _ = call("export", model, "--to", "onnx", "-o", tmp_path / "out")
    assert (code, out) == (130, "")
    assert files_in(tmp_path) == ["model.ns4d"]
