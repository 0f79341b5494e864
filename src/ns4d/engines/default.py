"""The engine that is taken where none is named."""

from __future__ import annotations

from functools import cache

from ns4d.engines.base import Engine
from ns4d.engines.table import ENGINES


@cache
def default_engine() -> Engine:
    """The native engine, on all cores."""
    return ENGINES["native"]()
