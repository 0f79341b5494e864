"""Whatever a model is called, and its task, classes and nodes: the C compiles and says so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.c99_host import compile_c, run_c
from ns4d.export import Request
from ns4d.export.c99 import export_program
from ns4d.export.c99.files import model_files
from ns4d.export.c99.unit import Unit
from ns4d.program import Add, Metadata, Program
from program_strategies import random_program

# Keywords of C, names that the generated file uses itself, names that become equal.
NAMES = [
    ["int", "for", "while"],
    ["message", "clip", "product"],
    ["k", "mode", "x"],
    ["state", "token", "scores"],
    ["a.b", "a-b", "a_b"],
    ["readout_", "sensor", "run"],
    ["A", "a", "aA"],
    ["z" * 64, "z" * 63, "z" * 62],
    ["main", "init", "step"],
]


def renamed(program: Program, names: list[str]) -> Program:
    """The same nodes under other names."""
    new = dict(zip((node.name for node in program.nodes), names, strict=False))
    nodes = []
    for node in program.nodes:
        changes = {"name": new[node.name]}
        if isinstance(node, Add):
            changes["source"] = new[node.source]
        nodes.append(replace(node, **changes))
    return replace(program, nodes=tuple(nodes))


@pytest.fixture(scope="module")
def program() -> Program:
    return random_program(np.random.default_rng(3), channels=3, modes=2)


@pytest.mark.parametrize("names", NAMES, ids=lambda names: names[0][:8])
def test_any_names_of_nodes(program, names, tmp_path):
    named = renamed(program, names)
    for file, content in model_files(Unit(named, "m")).items():
        (tmp_path / file).write_bytes(content)
    compile_c(tmp_path / "m.c", tmp_path / "m.o", "-c")
    assert run_example(named, tmp_path / "example") == 0


def run_example(program: Program, folder: Path) -> int:
    folder.mkdir()
    for file, content in export_program(program, Request(name="m")).files.items():
        (folder / file).write_bytes(content)
    compile_c(folder / "main.c", folder / "run", str(folder / "m.c"))
    return run_c(folder / "run").returncode


def test_names_of_nodes_stand_in_the_comments(program):
    text = model_files(Unit(renamed(program, ["one.first", "two-second", "three"]), "m"))["m.c"]
    for name in (b"/* one.first:", b"/* two-second:", b"/* three:"):
        assert name in text


@pytest.mark.parametrize("name", ["m", "a1", "x_y_z", "t" * 24, "int_", "static"])
def test_any_prefix(program, name, tmp_path):
    for file, content in model_files(Unit(program, name)).items():
        (tmp_path / file).write_bytes(content)
    compile_c(tmp_path / f"{name}.c", tmp_path / "m.o", "-c")


TASKS = ["*/ int broken; /*", "/* /* /*", "what??/", 'quote"d', "back\\slash", "ünïcödé", "%s %n"]


@pytest.mark.parametrize("task", TASKS)
def test_any_task(program, task, tmp_path):
    metadata = Metadata(task, program.classes)
    files = model_files(Unit(replace(program, metadata=metadata), "m"))
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    compile_c(tmp_path / "m.c", tmp_path / "m.o", "-c")
    (shown,) = re.findall(rb"Task: (.*)\.\n", files["m.h"])
    words = re.findall("[A-Za-z]{3,}", task)
    assert all(word.encode() in shown for word in words if word.isascii())


def test_any_classes_are_printed_as_they_are(program, tmp_path):
    """Quotes, escapes, percent signs, trigraphs, other alphabets."""
    classes = ('say "no"', "100%s ??/ \\n", "日本")
    metadata = Metadata("t", classes)
    named = replace(program, metadata=metadata)
    for file, content in export_program(named, Request(name="m")).files.items():
        (tmp_path / file).write_bytes(content)
    compile_c(tmp_path / "main.c", tmp_path / "run", str(tmp_path / "m.c"))
    lines = run_c(tmp_path / "run").stdout.splitlines()
    for line, label in zip(lines, classes, strict=False):
        assert line.startswith(f"{label} ")


def test_one_class_of_one_input():
    one = random_program(np.random.default_rng(1), channels=1, modes=1, classes=1)
    text = export_program(one, Request(name="m")).files["m.h"].decode()
    assert "#define M_INPUTS 1\n#define M_CLASSES 1\n" in text
