"""The table of engines: what `ns4d verify` tries. A new engine is one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ns4d.engines.base import Engine
from ns4d.engines.reference import Reference


def _native() -> Engine:
    # Numba takes half a second to load: only who computes pays for it.
    from ns4d.engines.native import Native

    return Native()


ENGINES: Mapping[str, Callable[[], Engine]] = MappingProxyType(
    {"reference": Reference, "native": _native}
)
