"""docs/deploy.md does what it says: its commands are run, its C is compiled and run."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ns4d
from export.c99_host import library
from ns4d.data import load_task
from ns4d.engines import run
from ns4d.engines.native import Native
from test_documentation import Block, blocks_of

# What a command needs beyond this package.
TOOLS = {
    "cortex-m4": "arm-none-eabi-gcc",
    "cortex-m0plus": "arm-none-eabi-gcc",
    "rv32im": "riscv64-unknown-elf-gcc",
}


@pytest.fixture(scope="module")
def blocks(request) -> list[Block]:
    text = (Path(request.config.rootpath) / "docs" / "deploy.md").read_text("utf-8")
    return blocks_of(text)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """Where all commands of the page run, one after the other."""
    return tmp_path_factory.mktemp("deploy")


def commands(blocks: list[Block]) -> list[tuple[str, list[str]]]:
    """Each command that the page lets run, with what it shows below it."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks:
        if block.language != "console" or block.reason_not_to_run is not None:
            continue
        for line in block.code.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def execute(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "NO_COLOR": "1", "COLUMNS": "400"}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )


def missing(command: str) -> str | None:
    """The tool that a command needs and that is not here."""
    needed = {tool for word, tool in TOOLS.items() if word in command}
    return next((tool for tool in sorted(needed) if shutil.which(tool) is None), None)


def test_the_page_has_commands(blocks):
    lines = [command for command, _ in commands(blocks)]
    assert sum("ns4d export" in line for line in lines) >= 2
    assert sum("make" in line for line in lines) >= 3


def test_the_commands_run_in_order(blocks, workplace):
    skipped = []
    for command, shown in commands(blocks):
        if tool := missing(command):
            skipped.append(f"{command}: no {tool} here")
            continue
        ran = execute(command, workplace)
        fails = any(line.startswith("error: ") for line in shown)
        assert ran.returncode == int(fails), f"{command}\n{ran.stdout}\n{ran.stderr}"
        if shown:
            assert (ran.stdout + ran.stderr).splitlines() == shown
        if "make check" in command:
            assert "0 of 160 scores differ from the reference" in ran.stdout
    assert (workplace / "firmware" / "digits.h").exists()
    assert not (workplace / "small").exists()
    if skipped:
        pytest.skip("; ".join(skipped) + " (the other commands ran)")


def test_the_files_are_those_of_the_table(blocks, workplace, request):
    text = (Path(request.config.rootpath) / "docs" / "deploy.md").read_text("utf-8")
    named = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\| `.*$", text, re.MULTILINE))))
    there = {path.name for path in exported(workplace).iterdir()} - {"build"}
    assert there <= named


def exported(workplace: Path) -> Path:
    """The folder that the first command writes, also where another test ran alone."""
    folder = workplace / "firmware"
    if not folder.exists():
        command = "ns4d export digits-mini --to c -o firmware --part nrf52840 --sensor 0:16"
        assert execute(command, workplace).returncode == 0
    return folder


def test_the_c_of_the_page_decides_as_the_program_does(blocks, workplace, tmp_path):
    (block,) = [block for block in blocks if block.language == "c"]
    firmware = exported(workplace)
    declared = "int decide(const int32_t raw[][DIGITS_INPUTS], int length);"
    code = block.code.replace("static digits_state", f"{declared}\n\nstatic digits_state", 1)
    whole = code.replace('"digits.h"', f'"{firmware}/digits.h"')
    decide = library(f'{whole}\n#include "{firmware}/digits.c"\n', tmp_path).decide
    test = load_task("digits").test
    raw = np.ascontiguousarray(test.tokens[:20], dtype=np.int32)
    found = [
        decide(ctypes.c_void_p(sequence.ctypes.data), ctypes.c_int(len(sequence)))
        for sequence in raw
    ]
    program = ns4d.load("digits-mini")
    scores = run(Native(1), program, test.tokens[:20].astype(np.float64))
    assert found == scores.argmax(axis=1).tolist()
    assert np.mean(found == test.labels[:20]) > 0.9


def test_a_refused_token_is_minus_one(workplace, blocks, tmp_path):
    """More tokens than a sequence may have, with scores of 32 bits for 3 tokens."""
    command = "ns4d export digits-mini --to c -o short --sensor 0:16 --length 3"
    assert execute(command, tmp_path).returncode == 0
    (block,) = [block for block in blocks if block.language == "c"]
    declared = "int decide(const int32_t raw[][DIGITS_INPUTS], int length);\n\n"
    code = block.code.replace("static digits_state", declared + "static digits_state", 1)
    text = code.replace('"digits.h"', f'"{tmp_path}/short/digits.h"')
    decide = library(f'{text}\n#include "{tmp_path}/short/digits.c"\n', tmp_path).decide
    raw = np.zeros((4, 1), np.int32)
    pointer = ctypes.c_void_p(raw.ctypes.data)
    assert decide(pointer, ctypes.c_int(3)) >= 0
    assert decide(pointer, ctypes.c_int(4)) == -1
