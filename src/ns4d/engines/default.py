"""The engine that is taken where none is named."""

from __future__ import annotations

from ns4d.engines.base import Engine
from ns4d.engines.reference import Reference


def default_engine() -> Engine:
    """The reference engine."""
    return Reference()
