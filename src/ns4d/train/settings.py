"""Settings as data: frozen dataclasses to and from plain JSON values, and dotted overrides.

    override(recipe, ["model.channels=32", "schedule.epochs=3"])
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from ns4d.errors import ConfigError

T = TypeVar("T")
WORDS = {"true": True, "false": False}


def to_plain(settings: Any) -> Any:
    """Nested dataclasses and enums as dictionaries, strings and numbers."""
    if dataclasses.is_dataclass(settings):
        names = (field.name for field in dataclasses.fields(settings))
        return {name: to_plain(getattr(settings, name)) for name in names}
    return settings.value if isinstance(settings, Enum) else settings


def from_plain(kind: type[T], plain: Mapping[str, Any]) -> T:
    """The inverse of `to_plain`; fields that are absent take their defaults."""
    known = _field_types(kind)
    values = {}
    for name, value in plain.items():
        _require_known(name, known, name)
        values[name] = _restore(known[name], value, name)
    return kind(**values)


def _restore(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return from_plain(typing.cast(type, kind), value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _member(kind, str(value), where)
    return value


def override(settings: T, assignments: Iterable[str]) -> T:
    """Replace single values, named by their path.

    Args:
        settings: A frozen dataclass, possibly nested.
        assignments: Strings "a.b=value".

    Returns:
        A new value of the same class, checked as when built by hand.

    Raises:
        ConfigError: For an unknown name (the nearest valid one is named) or a value that the
            field cannot take.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"override {assignment!r}",
                expected="NAME=VALUE",
                got="no '='",
                fix=f"Valid names: {', '.join(_paths(type(settings)))}.",
            )
        settings = _replace(settings, path.split("."), text, path)
    return settings


def _replace(settings: Any, path: list[str], text: str, where: str) -> Any:
    known = _field_types(type(settings))
    _require_known(path[0], known, where)
    current, kind = getattr(settings, path[0]), known[path[0]]
    nested = dataclasses.is_dataclass(current)
    if nested != (len(path) > 1):
        raise ConfigError(
            f"override {where}",
            expected="the name of a single value",
            got="a group of values" if nested else f"a name inside the value {path[0]!r}",
            fix=f"Valid names: {', '.join(_paths(type(settings)))}.",
        )
    value = _replace(current, path[1:], text, where) if nested else _parse(kind, text, where)
    return dataclasses.replace(settings, **{path[0]: value})


def _parse(kind: Any, text: str, where: str) -> Any:
    if isinstance(kind, types.UnionType):
        if text == "none":
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if issubclass(kind, Enum):
        return _member(kind, text, where)
    if kind is bool:
        return _choose(WORDS, text, where)
    try:
        return kind(text)
    except ValueError as error:
        name = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise ConfigError(
            f"override {where}", expected=name, got=repr(text), fix="Check the value."
        ) from error


def _member(kind: type[Enum], text: str, where: str) -> Enum:
    return _choose({str(member.value): member for member in kind}, text, where)


def _choose(table: Mapping[str, Any], text: str, where: str) -> Any:
    if text not in table:
        raise ConfigError(
            f"override {where}",
            expected=f"one of {', '.join(table)}",
            got=repr(text),
            fix=_nearest(text, table),
        )
    return table[text]


def _require_known(name: str, known: Mapping[str, Any], where: str) -> None:
    if name not in known:
        raise ConfigError(
            f"override {where}",
            expected=f"one of {', '.join(known)}",
            got=repr(name),
            fix=_nearest(name, known),
        )


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"Did you mean {near[0]!r}?" if near else "Choose one of these."


def _paths(kind: type, prefix: str = "") -> list[str]:
    paths = []
    for name, field in _field_types(kind).items():
        nested = dataclasses.is_dataclass(field)
        paths += _paths(field, f"{prefix}{name}.") if nested else [prefix + name]
    return paths


@cache
def _field_types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
