"""A row of a table by the name that a user gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ns4d.errors import ConfigError

T = TypeVar("T")


def choose(where: str, table: Mapping[str, T], name: str, fix: str) -> T:
    """The row of that name.

    Args:
        where: The option that was used, for the error.
        table: Name -> row.
        name: What the user gave.
        fix: What to do where there is no such row.

    Returns:
        The row.

    Raises:
        ConfigError: No row of that name; the names that there are, are listed.
    """
    if name not in table:
        raise ConfigError(where, expected=f"one of {', '.join(table)}", got=repr(name), fix=fix)
    return table[name]
