"""Finds a compiler for a target, builds a model with it for a bare machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from ns4d.bench.emulate.elf import Elf, read_elf
from ns4d.bench.emulate.targets import Target
from ns4d.errors import ArtefactError
from ns4d.export.c99.files import model_files
from ns4d.export.c99.unit import Unit
from ns4d.program import Program

NAME = "model"
BARE = ("-std=c99", "-ffreestanding", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic")
LINK = ("-nostdlib", "-Wl,-e,model_start")
FLASH_AT = 0x10000


@dataclass(frozen=True)
class Toolchain:
    """A compiler.

    Args:
        name: With its version.
        compile: Command with the options of the target.
        link: Options that follow the objects.
        define: What the support file needs.
    """

    name: str
    compile: tuple[str, ...]
    link: tuple[str, ...]
    define: tuple[str, ...] = ()


@dataclass(frozen=True)
class Build:
    """A model for a target.

    Args:
        program: What it computes.
        elf: The linked program.
        flash_bytes: Code with constants of the model alone.
        variable_bytes: What it keeps outside the caller's struct: nothing.
    """

    program: Program
    elf: Elf
    flash_bytes: int
    variable_bytes: int


def toolchains(target: Target) -> tuple[Toolchain, ...]:
    """The compilers for a target on this machine: its GCC, then clang from the package ziglang."""
    return (*_gcc(target), *_zig(target))


def _gcc(target: Target) -> tuple[Toolchain, ...]:
    if shutil.which(target.gcc[0]) is None:
        return ()
    version = _output([target.gcc[0], "-dumpfullversion"])
    link = (*LINK, "-nostartfiles", f"-Wl,-Ttext={FLASH_AT:#x}", "-lgcc")
    return (Toolchain(f"gcc {version}", target.gcc, link),)


def _zig(target: Target) -> tuple[Toolchain, ...]:
    if find_spec("ziglang") is None:
        return ()
    command = (sys.executable, "-m", "ziglang", "cc")
    version = _output([*command, "--version"]).split()[2]
    # Its own library for bare machines takes half a minute to build.
    define = ("-DOWN_RUNTIME",)
    # Without -g it drops the names of functions where it optimizes for size.
    return (Toolchain(f"clang {version}", (*command, *target.zig, "-g"), LINK, define),)


def build(
    program: Program,
    toolchain: Toolchain,
    options: Sequence[str] = ("-O2",),
    *,
    traced: bool = False,
) -> Build:
    """Compile, then link.

    Args:
        program: What to build.
        toolchain: With what.
        options: Level of optimization, definitions.
        traced: Whether it can record what its nodes send.

    Raises:
        ArtefactError: The compiler complains.
    """
    with tempfile.TemporaryDirectory(prefix="ns4d-emulate-") as name:
        folder = Path(name)
        for file, content in model_files(Unit(program, NAME)).items():
            (folder / file).write_bytes(content)
        for file in ("support.c", "traced.c"):
            (folder / file).write_bytes((files("ns4d.bench.emulate") / file).read_bytes())
        compile_, define = [*toolchain.compile, *options], toolchain.define
        source = "traced.c" if traced else f"{NAME}.c"
        _run([*compile_, *BARE, "-c", source, "-o", "model.o"], folder)
        _run(
            [
                *compile_,
                "-std=c99",
                "-ffreestanding",
                *define,
                "-c",
                "support.c",
                "-o",
                "support.o",
            ],
            folder,
        )
        _run([*compile_, "model.o", "support.o", *toolchain.link, "-o", "model.elf"], folder)
        model, elf = (
            read_elf(file, (folder / file).read_bytes()) for file in ("model.o", "model.elf")
        )
    return Build(program, elf, model.constant_bytes, model.variable_bytes)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArtefactError(
            " ".join(command[:4]),
            expected="C that compiles without a warning",
            got=done.stderr.strip()[:2000],
            fix="This is a mistake of the exporter; report it with the program.",
        )


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
