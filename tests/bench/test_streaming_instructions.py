"""The counts of `streaming_work.PATHS` are those of the compiled inner loops.

A loop may handle several modes at a time: it stores the state of each once, which tells how many.
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
from llvmlite import binding
from numba import cfunc, types

from ns4d.bench.streaming_work import PATHS
from ns4d.engines.native.kernels import ARGUMENTS, KERNELS

FEATURES = binding.get_host_cpu_features() if platform.machine() in ("x86_64", "AMD64") else {}
AVX2 = pytest.mark.skipif(not FEATURES.get("avx2"), reason="assembly of a processor with AVX2")
# There one instruction may do the work of two; multiplications and vectors stay what they are.
PLAIN_AVX2 = pytest.mark.skipif(
    bool(FEATURES.get("avx512vl")), reason="assembly of a processor without AVX-512"
)

# From a label to the jump back to it, with no label in between.
LOOP = re.compile(r"^(\.LBB\w+):\n((?:(?!\.LBB).*\n)*?)\s+j\w+\s+\1$", re.MULTILINE)
STORE = re.compile(r"^\s+vmov\w+\s+%ymm\d+, .*\(", re.MULTILINE)
READ = re.compile(r"^\s+v\w+\s+[^%\n]*\(.*ymm", re.MULTILINE)
VECTOR = re.compile(r"^\s+(v\w+).*%ymm", re.MULTILINE)
# Where there is VNNI (vpdpw…), one instruction multiplies and adds to a sum.
MULTIPLICATION = re.compile(r"vp?mul\w+|vpmadd\w+|vpdpw\w+|vfn?m(add|sub)\w+")
FLOAT = re.compile(r"v\w+ps|vcvttps2dq")


@cache
def inner_loop(path: int) -> str:
    """The loop over modes of the kernel for single tokens: the one that multiplies most."""
    signature = types.void(*[types.intp] * ARGUMENTS)
    compiled = cfunc(signature, error_model="numpy")(KERNELS[path][0]("not kept"))
    loops = [found[2] for found in LOOP.finditer(assembly(compiled))]
    return max(loops, key=lambda loop: count(loop)["products"])


def assembly(compiled: Any) -> str:
    """Numba shows it of functions; of callbacks only what it keeps to itself has it."""
    return compiled._library.get_asm_str()


def count(loop: str) -> Counter[str]:
    """Vector instructions by what they do."""
    found: Counter[str] = Counter()
    for name in VECTOR.findall(loop):
        if MULTIPLICATION.fullmatch(name):
            found["products"] += 1
        elif name.startswith("vmov"):
            found["moves"] += 1
        else:
            found["floats" if FLOAT.fullmatch(name) else "words"] += 1
    return found


def modes_of(path: int) -> int:
    """How many modes one turn of the loop handles."""
    modes, rest = divmod(len(STORE.findall(inner_loop(path))), PATHS[path].state_vectors)
    assert modes >= 1
    assert rest == 0
    return modes


@AVX2
@pytest.mark.parametrize("path", PATHS)
def test_products_and_vectors_are_those_of_the_assembly(path: int) -> None:
    loop, modes = inner_loop(path), modes_of(path)
    assert count(loop)["products"] == modes * PATHS[path].products
    read = PATHS[path].parameter_vectors + PATHS[path].state_vectors
    assert len(READ.findall(loop)) == modes * read


@AVX2
@PLAIN_AVX2
@pytest.mark.parametrize("path", PATHS)
def test_other_instructions_are_those_of_the_assembly(path: int) -> None:
    found, modes = count(inner_loop(path)), modes_of(path)
    assert found["floats"] == modes * PATHS[path].floats
    assert found["words"] == modes * PATHS[path].words
