"""What an exporter is: a function from a program to files in memory.

It writes nothing. `ns4d.export.folder` writes the files of every format, whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np

from ns4d.errors import ConfigError
from ns4d.export.chain import Chain
from ns4d.program import Program

Fact = str | int | float | None


@dataclass(frozen=True, eq=False)
class Request:
    """What a user may ask of an export; None where nothing was said.

    Args:
        name: Prefix of every name in the output, a C identifier of at most 24 characters.
        part: Name of the part that must hold the program.
        flash_bytes: Its flash, in place of that of the named part.
        ram_bytes: Its RAM, in place of that of the named part.
        tokens: (l, i) real numbers or messages, for the example that is written beside it.
        real: Whether the exported model takes real tokens, to be quantized inside.
        length: Tokens that a sequence never exceeds.
        sensor: The smallest raw integer and the largest one that a sensor gives.

    Raises:
        ConfigError: A name that is no identifier, or a size below 0.
    """

    name: str | None = None
    part: str | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    tokens: np.ndarray | None = None
    real: bool | None = None
    length: int | None = None
    sensor: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not re.fullmatch(r"[a-z][a-z0-9_]{0,23}", self.name):
            raise ConfigError(
                "--name",
                expected="a small letter, then at most 23 small letters, digits or '_'",
                got=repr(self.name),
                fix="It becomes the first part of every name in the output.",
            )
        for option, size in (("--flash", self.flash_bytes), ("--ram", self.ram_bytes)):
            if size is not None and size < 0:
                raise ConfigError(option, expected="bytes", got=str(size), fix="0 is the least.")

    @property
    def asked(self) -> frozenset[str]:
        """The fields in which something was said."""
        named = (field.name for field in fields(self))
        return frozenset(name for name in named if getattr(self, name) is not None)


@dataclass(frozen=True)
class Export:
    """What an exporter made.

    Args:
        files: Path relative to the output folder -> content.
        facts: What to print about it: sizes, limits, what the format cannot express.
    """

    files: Mapping[str, bytes]
    facts: Mapping[str, Fact]


@dataclass(frozen=True)
class Exporter:
    """One format: a row of `ns4d.export.table`.

    Args:
        summary: A line for the help text.
        takes: The fields of a request that it reads.
        make: From a program to its files.
        make_float: From a trained network to its files; None where there are only integers.
    """

    summary: str
    takes: frozenset[str]
    make: Callable[[Program, Request], Export]
    make_float: Callable[[Chain, Request], Export] | None = None

    def export(self, model: Program | Chain, request: Request) -> Export:
        """The files, after refusing what this format has no use for.

        Args:
            model: A program, or a trained network.
            request: What the user asks.

        Raises:
            ConfigError: Something was asked that this format does not take.
        """
        self._require_used(request)
        if isinstance(model, Program):
            return self.make(model, request)
        if self.make_float is None:
            raise ConfigError(
                "export",
                expected="a program, a .ns4d file: this format has integers only",
                got="a trained network",
                fix="Make a program of it first: `ns4d quantize RUN --ptq`.",
            )
        return self.make_float(model, request)

    def _require_used(self, request: Request) -> None:
        if unused := sorted(request.asked - self.takes):
            raise ConfigError(
                "export",
                expected=f"of name, part, sizes, tokens: {', '.join(sorted(self.takes)) or 'none'}",
                got=", ".join(unused),
                fix="Leave out what this format does not use.",
            )
