"""Settings as data: frozen dataclasses as JSON values or dotted assignments.

override(recipe, ["model.channels=32", "schedule.epochs=3"])
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, NoReturn, TypeVar

from ns4d.errors import ConfigError

T = TypeVar("T")
WORDS = {"true": True, "false": False}
# Not "none", which names a permutation: None keeps the order of the task, `none` undoes it.
NO_VALUE = {"default": None}
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def to_plain(settings: Any) -> Any:
    """Nested dataclasses and enums as dictionaries, strings and numbers."""
    if dataclasses.is_dataclass(settings):
        names = (field.name for field in dataclasses.fields(settings))
        return {name: to_plain(getattr(settings, name)) for name in names}
    return settings.value if isinstance(settings, Enum) else settings


def from_plain(kind: type[T], plain: object, where: str = "settings") -> T:
    """The inverse of `to_plain`; fields that are absent take their defaults.

    Args:
        kind: The dataclass to build.
        plain: What `to_plain` gave, or what someone made of it since.
        where: Its place, for errors.

    Returns:
        A value of that class, checked as when built by hand.

    Raises:
        ConfigError: For an unknown or missing name, or a value that the field cannot take.
    """
    if not isinstance(plain, Mapping):
        _refuse(where, "a group of values", repr(plain))
    known = _field_types(kind)
    for name in plain:
        if name not in known:
            _refuse(where, f"the names {', '.join(known)}", repr(name), _did_you_mean(name, known))
    values = {k: _restore(known[k], value, f"{where}.{k}") for k, value in plain.items()}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        if field.name not in values and _is_required(field):
            _refuse(f"{where}.{field.name}", "a value", "nothing")
    return kind(**values)


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _restore(kind: Any, value: Any, where: str) -> Any:
    if _is_group(kind):
        return from_plain(kind, value, where)
    kind, optional = _without_none(kind)
    if optional and value is None:
        return None
    if issubclass(kind, Enum):
        return _choose(_members(kind), value, where)
    # JSON has one kind of number: 1 may stand for 1.0. To Python, true is an int as well.
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        _refuse(where, KINDS[kind], repr(value))
    return kind(value)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Where two settings as `to_plain` gives them differ; "?" stands for what one does not have.

    >>> differences({"batch": 64, "model": {"layers": 4}}, {"batch": 64, "model": {"layers": 6}})
    'model.layers=4 (now 6)'
    """
    before, after = dict(_flat(old)), dict(_flat(new))
    pairs = ((name, before.get(name, "?"), after.get(name, "?")) for name in {**before, **after})
    return ", ".join(f"{name}={was} (now {now})" for name, was, now in pairs if was != now)


def _flat(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in plain.items():
        nested = isinstance(value, Mapping)
        yield from _flat(value, f"{prefix}{name}.") if nested else [(prefix + name, value)]


def override(settings: T, assignments: Iterable[str]) -> T:
    """Replace single values, named by their path.

    Only what all assignments make together is checked, so their order says nothing, unless two
    name the same value: the last one counts.

    Args:
        settings: A frozen dataclass, possibly nested.
        assignments: Strings "a.b=value".

    Returns:
        A new value of the same class, checked as when built by hand.

    Raises:
        ConfigError: For an unknown name (the nearest valid one is named) or a value that the
            field cannot take.
    """
    names = _paths(type(settings))
    changes: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"override {assignment!r}",
                expected="NAME=VALUE",
                got="no '='",
                fix=f"Valid names: {', '.join(names)}.",
            )
        _require_single(path, names)
        *groups, name = path.split(".")
        place, kind = changes, type(settings)
        for group in groups:
            place, kind = place.setdefault(group, {}), _field_types(kind)[group]
        place[name] = _parse(_field_types(kind)[name], text, f"override {path}")
    return _replace(settings, changes)


def _require_single(path: str, names: Sequence[str]) -> None:
    if path in names:
        return
    inside = [name for name in names if name.startswith(f"{path}.")]
    raise ConfigError(
        f"override {path}",
        expected="the name of a single value",
        got="a group of values" if inside else "no such name",
        fix=f"Valid names: {', '.join(inside)}." if inside else _nearest_path(path, names),
    )


def _nearest_path(path: str, names: Sequence[str]) -> str:
    """Groups are easily forgotten or mistaken, so the last part of a name decides."""
    outside = [name for name in names if path.startswith(f"{name}.")]
    lasts = {name.rpartition(".")[2]: name for name in names}
    last = difflib.get_close_matches(path.rpartition(".")[2], lasts, n=1, cutoff=0.6)
    found = outside or [lasts[name] for name in last]
    return f"Did you mean {found[0]!r}?" if found else f"Valid names: {', '.join(names)}."


def _replace(settings: Any, changes: Mapping[str, Any]) -> Any:
    values = {
        name: _replace(getattr(settings, name), value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return dataclasses.replace(settings, **values)


def _parse(kind: Any, text: str, where: str) -> Any:
    kind, optional = _without_none(kind)
    if issubclass(kind, Enum):
        return _choose(_members(kind) | (NO_VALUE if optional else {}), text, where)
    if optional and text in NO_VALUE:
        return None
    if kind is bool:
        return _choose(WORDS, text, where)
    try:
        return kind(text)
    except ValueError:
        _refuse(where, KINDS[kind], repr(text))


def _choose(table: Mapping[str, Any], value: object, where: str) -> Any:
    if not isinstance(value, str) or value not in table:
        _refuse(where, f"one of {', '.join(table)}", repr(value), _did_you_mean(value, table))
    return table[value]


def _members(kind: type[Enum]) -> dict[str, Enum]:
    return {str(member.value): member for member in kind}


def _refuse(where: str, expected: str, got: str, fix: str = "Check the value.") -> NoReturn:
    raise ConfigError(where, expected=expected, got=got, fix=fix)


def _did_you_mean(name: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f"Did you mean {near[0]!r}?" if near else "Choose one of these."


def _without_none(kind: Any) -> tuple[Any, bool]:
    """The type of a field's value, and whether None is allowed beside it."""
    if not isinstance(kind, types.UnionType):
        return kind, False
    return next(k for k in typing.get_args(kind) if k is not types.NoneType), True


def _is_group(kind: object) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _paths(kind: type, prefix: str = "") -> list[str]:
    paths = []
    for name, field in _field_types(kind).items():
        path = prefix + name
        paths += _paths(field, f"{path}.") if _is_group(field) else [path]
    return paths


@cache
def _field_types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
