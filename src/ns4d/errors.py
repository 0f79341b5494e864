"""The errors that ns4d raises: one base class, seven kinds.

Every message answers four questions: where, what was expected, what came, and what to do.
The answers are also attributes, so that a program can read them.
"""

from __future__ import annotations

from typing import final


class Ns4dError(Exception):
    """Base of all errors raised on purpose by ns4d.

    Args:
        where: The node, channel, token, option or file concerned.
        expected: What would have been accepted.
        got: What came instead.
        fix: One sentence saying what to do.
    """

    def __init__(self, where: str, *, expected: str, got: str, fix: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}. {fix}")
        self.where = where
        self.expected = expected
        self.got = got
        self.fix = fix


@final
class ShapeError(Ns4dError):
    """An array has the wrong shape or type."""


@final
class RangeError(Ns4dError):
    """A number is not finite or lies outside its range."""


@final
class ConfigError(Ns4dError):
    """A setting has an unknown name or an impossible value."""


@final
class DataError(Ns4dError):
    """A data set is missing, altered or malformed."""


@final
class ArtefactError(Ns4dError):
    """A file written by ns4d (program or checkpoint) cannot be read or written."""


@final
class PlacementError(Ns4dError):
    """A program breaks a design rule of the chip it is placed on."""


@final
class TrainingError(Ns4dError):
    """Training cannot go on."""
