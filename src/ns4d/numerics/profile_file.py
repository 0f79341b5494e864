"""An arithmetic profile as a JSON file: the fields of `Arithmetic`, all of them, nothing else.

{"name": "narrow", "weight_bits": 4, "message_bits": 6, "coefficient_bits": 8,
 "state_bits": 16, "multiplier_bits": 16, "accumulator_bits": 24,
 "product_rounding": "each_toward_zero", "synapse_rounding": "floor"}
"""

from __future__ import annotations

import difflib
import json
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from ns4d.errors import ConfigError
from ns4d.numerics.arithmetic import PROFILES, ROUNDINGS, WIDTHS, Arithmetic

BYTES_MAX = 1 << 16


def write_profile(arithmetic: Arithmetic, path: str | Path) -> None:
    """Write a profile as JSON, to start another one from.

    Raises:
        ConfigError: The file cannot be written.
    """
    plain = {k: v.value if isinstance(v, Enum) else v for k, v in vars(arithmetic).items()}
    try:
        Path(path).write_text(json.dumps(plain, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise _refuse(str(path), "to write a profile", str(error.strerror)) from error


def read_profile(path: str | Path) -> Arithmetic:
    """Read a profile and check every field.

    Args:
        path: A JSON file of the form above.

    Returns:
        The profile.

    Raises:
        ConfigError: No such file, no JSON object, a field that is missing, unknown or out of
            range, or the name of a built-in profile on another one; the field is named.
    """
    where, values = str(path), _object(Path(path))
    _require_fields(where, values)
    values |= {k: _rounding(f"{where} {k!r}", v, values[k]) for k, v in ROUNDINGS.items()}
    try:
        arithmetic = Arithmetic(**values)
    except ConfigError as error:
        field = error.where.removeprefix("Arithmetic.")
        fix = f"Correct the field {field!r}."
        raise _refuse(f"{where} {field!r}", error.expected, error.got, fix) from None
    if PROFILES.get(arithmetic.name, arithmetic) != arithmetic:
        got = f"{arithmetic.name!r}, the name of another profile"
        raise _refuse(f"{where} 'name'", "a name of its own", got, "Rename it.")
    return arithmetic


def _require_fields(where: str, values: dict[str, Any]) -> None:
    """The fields of `Arithmetic`, each of its JSON type; it checks the ranges itself."""
    known = [field.name for field in fields(Arithmetic)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Remove it."
            raise _refuse(f"{where} {name!r}", f"one of {', '.join(known)}", "no such field", hint)
    for name in known:
        if name not in values:
            raise _refuse(f"{where} {name!r}", "a value", "none", "Give every field a value.")
    if not isinstance(values["name"], str):
        raise _refuse(f"{where} 'name'", "text", repr(values["name"])[:80], "Write a name.")
    for name, (low, high) in WIDTHS.items():
        if type(values[name]) is not int:
            expected, got = f"an integer from {low} to {high}", repr(values[name])[:80]
            raise _refuse(f"{where} {name!r}", expected, got, "Write a number of bits.")


def _object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise _refuse(str(path), f"at most {BYTES_MAX} bytes", "more")
        values = json.loads(content, object_pairs_hook=_no_field_twice)
    except OSError as error:
        got = error.strerror or str(error)
        raise _refuse(str(path), "a profile in JSON", got, "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise _refuse(str(path), "a profile in JSON", str(error).partition("\n")[0]) from error
    if not isinstance(values, dict):
        raise _refuse(str(path), "a JSON object", type(values).__name__)
    return values


def _no_field_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} twice")
    return dict(pairs)


def _rounding(where: str, kind: type[Enum], value: object) -> Enum:
    choices = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in choices:
        fix = "docs/numerics.md says what they mean."
        raise _refuse(where, f"one of {', '.join(choices)}", repr(value)[:80], fix)
    return choices[value]


def _refuse(
    where: str,
    expected: str,
    got: str,
    fix: str = "Start from what ns4d.numerics.write_profile(LOIHI2, path) writes.",
) -> ConfigError:
    return ConfigError(where, expected=expected, got=got, fix=fix)
