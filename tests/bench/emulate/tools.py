"""What the tests of emulation share: a compiler for a target, builds kept for the session."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from ns4d.bench.emulate.emulated import Core
from ns4d.bench.emulate.targets import TARGETS, Target
from ns4d.bench.emulate.toolchain import Toolchain, build, toolchains
from ns4d.engines import Reference
from ns4d.program import Program

EACH_TARGET = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


@cache
def toolchain_for(target: Target, prefix: str = "") -> Toolchain | None:
    """The first compiler whose name begins so."""
    return next((t for t in toolchains(target) if t.name.startswith(prefix)), None)


def require_toolchain(target: Target, prefix: str = "") -> Toolchain:
    """A compiler and the emulator, or a skip that says what is missing."""
    found = toolchain_for(target, prefix)
    if found is None:
        pytest.skip(f"no {prefix or 'compiler'} for {target.name}: {target.gcc[0]} or ziglang")
    if find_spec("unicorn") is None:
        pytest.skip("no emulator: install the package unicorn")
    return found


def core_of(program: Program, target: Target, *options: str, prefix: str = "") -> Core:
    toolchain = require_toolchain(target, prefix)
    return Core(build(program, toolchain, options or ("-O2",)), target.machine)


def assert_same(core: Core, program: Program, u: np.ndarray) -> None:
    """Every score of one sequence, from zero state."""
    core.init()
    expected = Reference().load(program, 1).advance(u[None])[0]
    got = np.stack([core.step(token) for token in u])
    np.testing.assert_array_equal(got, expected)
