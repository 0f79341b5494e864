"""Engines compute integer programs, all with the same bits; the reference defines them."""

from ns4d.engines.base import Engine, Machine
from ns4d.engines.batch import run
from ns4d.engines.default import default_engine
from ns4d.engines.reference import Reference
from ns4d.engines.state import State
from ns4d.engines.stream import Stream
from ns4d.engines.table import ENGINES
from ns4d.engines.trace import trace

__all__ = [
    "ENGINES",
    "Engine",
    "Machine",
    "Reference",
    "State",
    "Stream",
    "default_engine",
    "run",
    "trace",
]
