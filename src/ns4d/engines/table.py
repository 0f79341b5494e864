"""The table of engines: what `ns4d verify` tries. A new engine is one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ns4d.engines.base import Engine
from ns4d.engines.reference import Reference

ENGINES: Mapping[str, Callable[[], Engine]] = MappingProxyType({"reference": Reference})
