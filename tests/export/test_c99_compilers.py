"""The exported folder under compilers: no warning, no undefined behaviour, models side by side."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conformance.family import case
from export.c99_host import compile_c, require_compiler, run_c
from ns4d.engines import Reference
from ns4d.export import Request, write_folder
from ns4d.export.c99 import export_program
from ns4d.export.c99.files import model_files
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE
from ns4d.program import Program
from program_strategies import random_program

COMPILERS = ("gcc", "clang")
PATHS = ("", "-DNS4D_SPLIT")  # on this machine, nothing named is plain C
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Between them, these have every form of every product.
CASES = (1, 2, 9, 46)


def folder_of(program: Program, folder: Path, **asked) -> Path:
    write_folder(folder, export_program(program, Request(**asked)).files)
    return folder


def write_models(folder: Path, numbers) -> list[Path]:
    sources = []
    for number in numbers:
        for name, content in model_files(Unit(case(number).program, f"case{number}")).items():
            (folder / name).write_bytes(content)
        sources.append(folder / f"case{number}.c")
    return sources


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_warns_on_any_path(compiler, tmp_path):
    for source in write_models(tmp_path, CASES):
        for path in PATHS:
            options = ("-O2", "-c", *filter(None, [path]))
            assert compile_c(source, tmp_path / "out.o", *options, compiler=compiler) == ""


def test_a_warning_would_be_found(tmp_path):
    (source,) = write_models(tmp_path, [0])
    source.write_text(source.read_text() + "static int unused;\n")
    with pytest.raises(AssertionError, match="unused"):
        compile_c(source, tmp_path / "out.o", "-c")


@pytest.mark.parametrize("path", PATHS)
def test_the_example_runs_clean_under_both_sanitizers(path, tmp_path):
    saturating = random_program(
        np.random.default_rng(4), LOIHI2, inputs=2, channels=5, modes=3, saturating=True
    )
    folder = folder_of(saturating, tmp_path / "out", name="mine", tokens=extremes(saturating))
    options = (*SANITIZERS, *filter(None, [path]), str(folder / "mine.c"))
    compile_c(folder / "main.c", folder / "example", *options)
    ran = run_c(folder / "example")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "60 tokens, 0 of 180 scores differ from the reference" in ran.stdout


def extremes(program: Program) -> np.ndarray:
    """Messages at their limits: constant, then alternating, then random."""
    top = program.arithmetic.message_max
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(20) % 2, -top, top)[:, None]
    parts = [np.full((20, 1), top), signs, rng.integers(-top, top + 1, (20, 1))]
    return np.repeat(np.concatenate(parts), program.inputs, axis=1)


def test_a_wrong_score_fails_the_example(tmp_path):
    folder = folder_of(case(1).program, tmp_path / "out", name="mine")
    vector = folder / "mine_vector.h"
    head, _, scores = vector.read_text().rpartition("vector_scores")
    vector.write_text(head + "vector_scores" + re.sub(r"\{(-?\d+)", r"{1 + \1", scores, count=1))
    compile_c(folder / "main.c", folder / "example", str(folder / "mine.c"))
    ran = run_c(folder / "example")
    assert ran.returncode == 1
    assert " 1 of " in ran.stdout


def test_an_illegal_token_stops_the_example(tmp_path):
    folder = folder_of(case(0).program, tmp_path / "out", name="mine")
    vector = folder / "mine_vector.h"
    text = re.sub(r"(vector_tokens\[.*= \{\n    \{)-?\d+", r"\g<1>4000", vector.read_text())
    vector.write_text(text)
    compile_c(folder / "main.c", folder / "example", str(folder / "mine.c"))
    ran = run_c(folder / "example")
    assert (ran.returncode, ran.stdout) == (2, "token 0 was refused with code 1\n")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
def test_the_makefile_builds_and_checks(tmp_path):
    require_compiler("gcc")
    folder = folder_of(random_program(np.random.default_rng(6), WIDE), tmp_path / "out")
    before = {path.name for path in folder.iterdir()}
    ran = subprocess.run(
        ["make", "check", "CC=gcc"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "0 of 48 scores differ" in ran.stdout
    assert {path.name for path in folder.iterdir()} == before | {"build"}
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)
    assert {path.name for path in folder.iterdir()} == before


TWO_MODELS = """
#include <stdio.h>
#include "one.h"
#include "two.h"

static one_state first;
static two_state second;

int main(void)
{
    const int32_t token[1] = {7};
    one_score a[ONE_CLASSES];
    two_score b[TWO_CLASSES];
    one_init(&first);
    two_init(&second);
    if (one_step(&first, token, a) || two_step(&second, token, b))
        return 1;
    printf("%lld %lld\\n", (long long)a[0], (long long)b[0]);
    return 0;
}
"""


def test_two_models_in_one_firmware(tmp_path):
    programs = [
        random_program(np.random.default_rng(seed), a) for seed, a in ((1, LOIHI2), (2, WIDE))
    ]
    for program, name in zip(programs, ("one", "two"), strict=True):
        for file, content in model_files(Unit(program, name)).items():
            (tmp_path / file).write_bytes(content)
    (tmp_path / "main.c").write_text(TWO_MODELS)
    sources = (str(tmp_path / "one.c"), str(tmp_path / "two.c"))
    compile_c(tmp_path / "main.c", tmp_path / "both", *sources)
    machines = [Reference().load(program, 1) for program in programs]
    expected = [str(machine.token(np.array([7]))[0]) for machine in machines]
    assert run_c(tmp_path / "both").stdout.split() == expected


def test_a_header_serves_cplusplus(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no g++ here")
    write_models(tmp_path, [0])
    (tmp_path / "use.cpp").write_text(
        '#include "case0.h"\nint main() { return CASE0_INPUTS - 1; }\n'
    )
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-c", "use.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_state_struct_is_as_large_as_the_header_says(tmp_path):
    """In C: a struct of another size gives an array of negative length."""
    for number in CASES:
        unit = Unit(case(number).program, f"case{number}")
        (source,) = write_models(tmp_path, [number])
        text = (tmp_path / f"case{number}.h").read_text()
        (stated,) = re.findall(r"RAM +([\d,]+) bytes", text)
        size = stated.replace(",", "")
        check = f"extern int right[sizeof({unit.name}_state) == {size} ? 1 : -1];\n"
        source.write_text(source.read_text() + check)
        compile_c(source, tmp_path / "out.o", "-c")
