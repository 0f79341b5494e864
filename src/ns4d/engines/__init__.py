"""Engines compute integer programs, all with the same bits; the reference defines them."""

from ns4d.engines.base import Engine, Stream, run
from ns4d.engines.reference import Reference, trace
from ns4d.engines.state import State

__all__ = ["Engine", "Reference", "State", "Stream", "run", "trace"]
