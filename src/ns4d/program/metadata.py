"""What a program is about: its task, the names of its classes, where it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ns4d.errors import ConfigError

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Metadata:
    """Stored with the program and part of its digest; never changes a result.

    Args:
        task: Name of the task, as in `smnist`.
        classes: One name per class, in the order of the scores.
        provenance: JSON scalars under string keys: seed, versions, accuracy, commit.

    Raises:
        ConfigError: Not text, not a JSON scalar, or no class.
    """

    task: str
    classes: tuple[str, ...]
    provenance: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require("task", _is_text(self.task), "text", self.task)
        named = isinstance(self.classes, tuple) and all(map(_is_text, self.classes))
        _require("classes", named and len(self.classes) > 0, "a tuple of names", self.classes)
        _require("provenance", isinstance(self.provenance, Mapping), "a mapping", self.provenance)
        for key, value in self.provenance.items():
            _require(f"provenance key {key!r}", _is_text(key), "text", key)
            _require(f"provenance {key!r}", _is_scalar(value), "a finite JSON scalar", value)
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))


def _is_text(value: object) -> bool:
    # A lone surrogate is a str that no file can hold.
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or _is_text(value)


def _require(where: str, holds: bool, expected: str, got: object) -> None:
    if not holds:
        raise ConfigError(
            f"metadata {where}", expected=expected, got=repr(got), fix="Correct the metadata."
        )
