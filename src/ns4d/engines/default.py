"""The engine that is taken where none is named, with the table of all engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
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


@cache
def default_engine() -> Engine:
    """The native engine, on all cores."""
    return _native()
