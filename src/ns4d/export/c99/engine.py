"""The generated C as an engine: compiled on this machine, called through ctypes.

It is held to the same contract as every engine, which is what proves the exporter.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int64

from ns4d.engines.base import token_by_advance
from ns4d.engines.state import State, require_safe, require_state
from ns4d.engines.trace import by_node
from ns4d.errors import ArtefactError, ConfigError
from ns4d.export.c99.files import model_files
from ns4d.export.c99.states import layout, read_states, tokens_seen, write_states
from ns4d.export.c99.templates import filled_in
from ns4d.export.c99.unit import Unit
from ns4d.program import Program
from ns4d.program.tokens import admit_streams

NAME = "model"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic")


@final
class C99:
    """An engine: a C compiler and its options.

    Args:
        compiler: Its command.
        options: Further options, such as -DNS4D_SPLIT or -fsanitize=undefined.

    Raises:
        ConfigError: No such compiler here.
    """

    def __init__(self, compiler: str = "cc", options: tuple[str, ...] = ("-O1",)) -> None:
        if shutil.which(compiler) is None:
            raise ConfigError(
                "compiler",
                expected="the command of a C compiler",
                got=repr(compiler),
                fix="Install gcc or clang.",
            )
        self._compiler, self._options = compiler, options
        self._folder = Path(tempfile.mkdtemp(prefix="ns4d-c99-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._libraries: dict[str, ctypes.CDLL] = {}

    @property
    def name(self) -> str:
        """For reports and for errors."""
        return " ".join(["c99", *(o for o in self._options if o.startswith("-D"))])

    @property
    def batch(self) -> int:
        """Any number costs the same per sequence."""
        return 8

    def load(self, program: Program, streams: int) -> C99Machine:
        """A machine with so many streams in zero state."""
        return C99Machine(Unit(program, NAME), self._library(program), streams)

    def trace(
        self, program: Program, u: Int64[np.ndarray, "b l i"]
    ) -> dict[str, Int64[np.ndarray, "b l _"]]:
        """What every node sends at every token, from zero state; see `Engine.trace`."""
        require_safe(program, u.shape[1])
        machine = self.load(program, len(u))
        messages = np.zeros((*u.shape[:2], sum(program.channels)), np.int32)
        machine.call(u, messages)
        return by_node(program, messages.astype(np.int64))

    def _library(self, program: Program) -> ctypes.CDLL:
        if program.digest not in self._libraries:
            folder = self._folder / program.digest
            self._libraries[program.digest] = self._compiled(program, folder)
        return self._libraries[program.digest]

    def _compiled(self, program: Program, folder: Path) -> ctypes.CDLL:
        folder.mkdir(exist_ok=True)
        for name, content in model_files(Unit(program, NAME)).items():
            (folder / name).write_bytes(content)
        harness = filled_in("harness.c", {"name": NAME, "UPPER": NAME.upper()})
        (folder / "harness.c").write_text(harness, "utf-8")
        library = folder / "model.so"
        command = [self._compiler, *STRICT, *self._options, "-fPIC", "-shared", "-o", str(library)]
        done = subprocess.run(
            [*command, str(folder / "harness.c")], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ArtefactError(
                str(folder),
                expected="C that compiles without a warning",
                got=done.stderr.strip()[:2000],
                fix="This is a mistake of the exporter; report it with the program.",
            )
        return ctypes.CDLL(str(library))


@final
class C99Machine:
    """A compiled program with the state of its streams; see `Machine`."""

    def __init__(self, unit: Unit, library: ctypes.CDLL, streams: int) -> None:
        self._unit, self._library, self._streams = unit, library, streams
        self._states = np.zeros(streams, layout(unit))
        library.harness_state_size.restype = ctypes.c_uint64
        assert library.harness_state_size() == self._states.itemsize
        for k in range(streams):
            library.harness_init(ctypes.c_void_p(self._states[k : k + 1].ctypes.data))

    @property
    def program(self) -> Program:
        """What it runs."""
        return self._unit.program

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return self._streams

    @property
    def state(self) -> State:
        """The state after the last token."""
        return read_states(self._unit, self._states)

    @state.setter
    def state(self, state: State) -> None:
        require_state(self.program, state, self._streams)
        self._states = write_states(self._unit, state)

    def advance(self, u: np.ndarray) -> Int64[np.ndarray, "b l classes"]:
        """So many tokens for every stream; see `Machine.advance`."""
        program = self.program
        u = admit_streams(program.arithmetic, program.input, u, self._streams)
        require_safe(program, tokens_seen(self._states) + u.shape[1])
        return self.call(u, None)

    def token(self, token: np.ndarray) -> Int64[np.ndarray, " classes"]:
        """One raw token into a machine of one stream; see `Machine.token`."""
        return token_by_advance(self, token)

    def call(
        self, u: Int64[np.ndarray, "b l i"], messages: np.ndarray | None
    ) -> Int64[np.ndarray, "b l classes"]:
        """The C: checked messages in, scores out, what the nodes send into `messages` if given."""
        tokens = np.ascontiguousarray(u, np.int32)
        kind = f"i{self._unit.score.size_bytes}"
        scores = np.zeros((*u.shape[:2], len(self.program.classes)), kind)
        trace = None if messages is None else ctypes.c_void_p(messages.ctypes.data)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (self._states, tokens, scores)]
        counts = ctypes.c_int64(u.shape[0]), ctypes.c_int64(u.shape[1])
        refused = self._library.harness_advance(pointers[0], *counts, *pointers[1:], trace)
        assert refused == 0, refused
        return scores.astype(np.int64)
