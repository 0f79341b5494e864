"""C compiled on this machine, for tests: functions as a library, programs as processes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic")
ZIG = (sys.executable, "-m", "ziglang", "cc")


def host_compilers() -> dict[str, tuple[str, ...]]:
    """Every C compiler here by name; clang may come from the package ziglang."""
    found = {name: (name,) for name in ("gcc", "clang") if shutil.which(name)}
    if "clang" not in found and find_spec("ziglang"):
        found["clang"] = ZIG
    return found


def require_compiler(name: str) -> tuple[str, ...]:
    """The command of a compiler, or a skip that says which is missing."""
    command = host_compilers().get(name)
    if command is None:
        pytest.skip(f"no {name} here; install it, or the package ziglang for clang")
    return command


def compile_c(source: Path, out: Path, *options: str, compiler: str = "gcc") -> str:
    """Compile without a warning; what the compiler says otherwise."""
    command = [*require_compiler(compiler), *STRICT, *options, str(source), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stderr


def library(text: str, folder: Path, *options: str, compiler: str = "gcc") -> ctypes.CDLL:
    """Functions of a C text; undefined behaviour aborts the process."""
    source, out = folder / "functions.c", folder / "functions.so"
    source.write_text(text)
    compile_c(source, out, "-O1", "-fPIC", "-shared", *options, compiler=compiler)
    return ctypes.CDLL(str(out))


def run_c(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what was compiled."""
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
