"""`ns4d export --to c`: what it writes, prints, refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import ns4d
from export.c99_host import compile_c, run_c
from export.test_table import call
from ns4d.engines import Reference
from ns4d.errors import ConfigError, RangeError, ShapeError
from ns4d.export import EXPORTERS, Request, folder
from ns4d.export.c99 import export_program
from ns4d.export.c99.exporter import prefix_of
from program_strategies import random_program

FILES = {"mine.h", "mine.c", "mine_constants.h", "mine_vector.h", "main.c", "Makefile"}


@pytest.fixture
def program():
    return random_program(np.random.default_rng(5), inputs=2, channels=4, modes=3)


@pytest.fixture
def model(program, tmp_path) -> Path:
    ns4d.save(program, tmp_path / "model.ns4d")
    return tmp_path / "model.ns4d"


def exported(model: Path, out: Path, *arguments: str) -> int:
    return call(str(model), "--to", "c", "-o", str(out), "--name", "mine", *arguments)


def test_the_files_compile_and_agree(model, tmp_path, capsys):
    out = tmp_path / "out"
    assert exported(model, out) == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert "state bytes" in capsys.readouterr().out
    compile_c(out / "main.c", tmp_path / "example", str(out / "mine.c"))
    assert "16 tokens, 0 of 48 scores differ" in run_c(tmp_path / "example").stdout


def test_the_facts_are_numbers(model, tmp_path, capsys):
    assert exported(model, tmp_path / "out", "--json", "--part", "samd21g18") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["format"] == "c"
    assert facts["digest"] == ns4d.load(model).digest
    assert facts["flash_bytes"] == facts["constants_bytes"] + facts["code_bytes_at_most"]
    assert facts["ram_bytes"] == facts["state_bytes"] + facts["stack_bytes_at_most"]
    assert (facts["flash_limit_bytes"], facts["ram_limit_bytes"]) == (256 * 1024, 32 * 1024)
    header = (tmp_path / "out" / "mine.h").read_text()
    assert f"{facts['state_bytes']:,} bytes: one mine_state" in header
    assert f"{facts['multiplications_per_token']:,} multiplications" in header
    assert facts["score_type"] == "int64_t"
    assert facts["tokens_max"] == ns4d.load(model).safe_tokens


def test_a_test_vector_of_your_own(model, program, tmp_path):
    """Real numbers go through (0), as everywhere."""
    tokens = np.random.default_rng(0).normal(size=(7, 2))
    np.save(tmp_path / "x.npy", tokens)
    assert exported(model, tmp_path / "out", "--input", str(tmp_path / "x.npy")) == 0
    text = (tmp_path / "out" / "mine_vector.h").read_text()
    assert "#define VECTOR_TOKENS 7\n" in text
    messages = program.quantize_input(tokens)
    scores = Reference().load(program, 1).advance(messages[None])[0]
    for rows, name in ((messages, "vector_tokens"), (scores, "vector_scores")):
        (body,) = re.findall(rf"{name}\[.*?= \{{\n(.*?)\n\}};", text, re.DOTALL)
        found = np.array([int(n) for n in re.findall(r"-?\d+", body)]).reshape(rows.shape)
        np.testing.assert_array_equal(found, rows)


def test_the_random_vector_is_that_of_the_program(program):
    made = [export_program(program, Request(name="mine")).files["mine_vector.h"] for _ in range(2)]
    assert made[0] == made[1]
    other = random_program(np.random.default_rng(6), inputs=2, channels=4, modes=3)
    assert export_program(other, Request(name="mine")).files["mine_vector.h"] != made[0]


def test_a_length_makes_scores_narrow(model, tmp_path, capsys):
    assert exported(model, tmp_path / "out", "--length", "50", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["score_type"], facts["tokens_max"]) == ("int32_t", 50)
    assert "typedef int32_t mine_score;" in (tmp_path / "out" / "mine.h").read_text()
    compile_c(tmp_path / "out" / "main.c", tmp_path / "example", str(tmp_path / "out" / "mine.c"))
    assert run_c(tmp_path / "example").returncode == 0


def test_the_name_is_that_of_the_task_where_none_is_given(program):
    files = export_program(program, Request()).files
    assert "random.c" in files
    assert b"random_step(random_state *state" in files["random.h"]


@pytest.mark.parametrize(
    ("task", "prefix"),
    [
        ("smnist", "smnist"),
        ("Speech Commands", "speech_commands"),
        ("8x8 digits", "model_8x8_digits"),
        ("é", "model"),
        ("", "model"),
        ("a" * 40, "a" * 24),
        ("/data/my set.npz", "data_my_set_npz"),
    ],
)
def test_any_task_gives_a_prefix(task, prefix):
    assert prefix_of(task) == prefix
    assert Request(name=prefix).name == prefix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--flash", "3000"), r"export for the sizes given: expected at most 3,000 bytes of flash"),
        (("--ram", "64"), r"any amount of flash, 64 bytes of RAM, got .* of RAM with the stack"),
        (("--part", "z80"), r"--part: expected one of nrf52840"),
        (("--length", "0"), r"--length: expected 1 to \d+ tokens, .* got 0"),
        (("--real",), r"got real\. Leave out what this format does not use"),
        (("--name", "Mine"), r"--name: expected a small letter"),
    ],
)
def test_a_bad_request_writes_nothing(model, tmp_path, capsys, arguments, message):
    assert exported(model, tmp_path / "out", *arguments) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model.ns4d"]


def test_sizes_override_those_of_a_part(model, tmp_path):
    assert exported(model, tmp_path / "out", "--part", "stm32l053r8", "--ram", "1") == 1
    assert exported(model, tmp_path / "out", "--part", "stm32l053r8") == 0


@pytest.mark.parametrize("rows", [0, 51])
def test_a_vector_of_another_length_is_refused(program, rows):
    with pytest.raises(RangeError, match=rf"--input: expected 1 to 50 tokens, got {rows}"):
        export_program(program, Request(tokens=np.zeros((rows, 2)), length=50))


def test_a_vector_of_another_width_is_refused(program):
    with pytest.raises(ShapeError, match="2 inputs"):
        export_program(program, Request(tokens=np.zeros((4, 3))))


def test_a_vector_with_an_illegal_message_is_refused(program):
    with pytest.raises(RangeError, match="token 0, channel 1: expected an integer message"):
        export_program(program, Request(tokens=np.array([[0, 9999]])))


def test_a_trained_network_is_refused_with_the_way_to_a_program(tmp_path):
    from ns4d.export.chain import Chain

    chain = object.__new__(Chain)
    with pytest.raises(ConfigError, match="Make a program of it first: `ns4d quantize RUN --ptq`"):
        EXPORTERS["c"].export(chain, Request())


def test_a_full_disk_leaves_the_earlier_export(model, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert exported(model, out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    write, written = folder.write_atomically, []

    def full(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(folder, "write_atomically", full)
    assert exported(model, out, "--replace", "--length", "9") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ns4d", "out"]


def test_a_replaced_export_takes_its_builds_with_it(model, tmp_path):
    out = tmp_path / "out"
    assert exported(model, out) == 0
    (out / "build").mkdir()
    (out / "build" / "example").write_bytes(b"old")
    assert exported(model, out, "--replace") == 0
    assert {path.name for path in out.iterdir()} == FILES
