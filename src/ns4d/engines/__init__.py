"""Engines compute integer programs, all with the same bits; the reference defines them."""

from ns4d.engines.base import Engine
from ns4d.engines.batch import run
from ns4d.engines.reference import Reference, trace
from ns4d.engines.state import State
from ns4d.engines.stream import Stream

__all__ = ["Engine", "Reference", "State", "Stream", "run", "trace"]
