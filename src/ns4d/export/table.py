"""The table of exporters: what `ns4d export --to` takes. A new format is one row."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ns4d.errors import ConfigError
from ns4d.export.base import Exporter

EXPORTERS: Mapping[str, Exporter] = MappingProxyType({})


def exporter_of(name: str) -> Exporter:
    """The exporter that a user names.

    Raises:
        ConfigError: No format of that name.
    """
    if name not in EXPORTERS:
        raise ConfigError(
            "--to",
            expected=f"one of {', '.join(EXPORTERS)}",
            got=repr(name),
            fix="`ns4d export --help` says what each of them is.",
        )
    return EXPORTERS[name]
