"""Compilers are found, asked for their version, used; the support code is 64-bit arithmetic."""

from __future__ import annotations

import ctypes
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from bench.emulate.tools import EACH_TARGET, require_toolchain
from export.c99_host import compile_c
from ns4d.bench.emulate import toolchain as toolchain_module
from ns4d.bench.emulate.targets import TARGETS, Machine
from ns4d.bench.emulate.toolchain import build, toolchains
from ns4d.errors import ArtefactError
from ns4d.export.c99 import PARTS
from ns4d.export.c99.size import size_of
from ns4d.export.c99.unit import Unit
from program_strategies import random_program

SUPPORT = Path(toolchain_module.__file__).with_name("support.c")
WORD = 2**64


@pytest.fixture(scope="module")
def program():
    return random_program(np.random.default_rng(0), channels=2, modes=2)


class TestTargets:
    def test_every_machine_is_a_target(self):
        assert {target.machine for target in TARGETS.values()} == set(Machine)

    def test_the_part_of_a_target_has_its_core(self):
        for target in TARGETS.values():
            assert PARTS[target.part].core == target.name

    def test_every_part_has_a_target(self):
        assert {part.core for part in PARTS.values()} == set(TARGETS)


class TestToolchains:
    """What is here; what is not is left out."""

    @EACH_TARGET
    def test_clang_reaches_every_target(self, target):
        found = require_toolchain(target, "clang")
        assert found.name.split()[1][0].isdigit()
        assert found.compile[:3] == (sys.executable, "-m", "ziglang")

    def test_without_compilers_there_is_none(self, monkeypatch):
        monkeypatch.setattr(toolchain_module.shutil, "which", lambda name: None)
        monkeypatch.setattr(toolchain_module, "find_spec", lambda name: None)
        assert all(toolchains(target) == () for target in TARGETS.values())

    def test_gcc_comes_first(self, monkeypatch):
        monkeypatch.setattr(toolchain_module.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(toolchain_module, "_output", lambda command: "clang version 12.3.4")
        names = [toolchain.name for toolchain in toolchains(TARGETS["cortex-m4"])]
        assert names[0].startswith("gcc")


class TestBuild:
    @EACH_TARGET
    def test_the_model_alone_is_measured(self, target, program):
        made = build(program, require_toolchain(target))
        assert made.variable_bytes == 0
        constants = size_of(Unit(program, "model")).constants_bytes
        assert constants < made.flash_bytes < constants + 4000
        # The linked program has the support code as well.
        assert sum(s.size_bytes for s in made.elf.segments) > made.flash_bytes
        assert {"model_init", "model_step", "model_state_size"} <= set(made.elf.symbols)

    def test_options_reach_the_compiler(self, program):
        toolchain = require_toolchain(TARGETS["cortex-m4"])
        plain = build(program, toolchain, ("-O2", "-DNS4D_PLAIN"))
        assert plain.flash_bytes != build(program, toolchain).flash_bytes

    def test_a_complaint_is_an_error_with_the_text(self, program):
        toolchain = require_toolchain(TARGETS["cortex-m4"])
        with pytest.raises(ArtefactError) as caught:
            build(program, toolchain, ("-O2", "-Dreturn=nothing"))
        assert "error" in caught.value.got
        assert caught.value.where.startswith(" ".join(toolchain.compile[:2]))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> ctypes.CDLL:
    """The 64-bit arithmetic for linkers without the compiler's library, on this machine."""
    folder = tmp_path_factory.mktemp("runtime")
    text = SUPPORT.read_text().split("/* The names that compilers call them by. */")[0]
    source = text[text.index("typedef union") :]
    (folder / "runtime.c").write_text(f"#include <stdint.h>\n{source}")
    compile_c(folder / "runtime.c", folder / "runtime.so", "-O1", "-fPIC", "-shared")
    library = ctypes.CDLL(str(folder / "runtime.so"))
    for name in ("long_shift_left", "long_shift_right", "long_multiply"):
        getattr(library, name).restype = ctypes.c_uint64
    library.long_shift_floor.restype = ctypes.c_int64
    return library


def words() -> list[int]:
    """Edges of 32 bits and of 64."""
    powers = [2**k for k in (0, 1, 15, 16, 31, 32, 33, 47, 48, 62, 63)]
    return sorted({(p + d) % WORD for p in powers for d in (-1, 0, 1)} | {0, WORD - 1})


def signed(word: int) -> int:
    return word - WORD if word >= WORD // 2 else word


class TestRuntime:
    def test_shifts(self, runtime):
        for p, s in product(words(), range(64)):
            word, shift = ctypes.c_uint64(p), ctypes.c_int(s)
            assert runtime.long_shift_left(word, shift) == (p << s) % WORD
            assert runtime.long_shift_right(word, shift) == p >> s
            assert runtime.long_shift_floor(ctypes.c_int64(signed(p)), shift) == signed(p) >> s

    def test_products(self, runtime):
        rng = np.random.default_rng(0)
        random = [int(n) for n in rng.integers(0, 2**63, 40)]
        for p, q in product([*words(), *random[:20]], [*words(), *random[20:]]):
            found = runtime.long_multiply(ctypes.c_uint64(p), ctypes.c_uint64(q))
            assert found == p * q % WORD


def test_every_name_that_compilers_use_is_there():
    text = SUPPORT.read_text()
    for name in ("__aeabi_llsl", "__aeabi_llsr", "__aeabi_lasr", "__aeabi_lmul"):
        assert f'"{name}"' in text
    for name in ("__ashldi3", "__lshrdi3", "__ashrdi3", "__muldi3"):
        assert f'"{name}"' in text
