"""Integer programs: nodes, the program that chains them, its ranges, text and file."""

from ns4d.program.certificate import NodeRange
from ns4d.program.file import load, save
from ns4d.program.metadata import Metadata
from ns4d.program.nodes import S4D, Add, Dense, Descale, InputQuantizer, Node, Readout
from ns4d.program.program import Program
from ns4d.program.ranges import (
    aligned_reduction_bound,
    aligned_state_bound,
    dense_bound,
    reduction_bound,
    state_bound,
)
from ns4d.program.text import to_text

__all__ = [
    "S4D",
    "Add",
    "Dense",
    "Descale",
    "InputQuantizer",
    "Metadata",
    "Node",
    "NodeRange",
    "Program",
    "Readout",
    "aligned_reduction_bound",
    "aligned_state_bound",
    "dense_bound",
    "load",
    "reduction_bound",
    "save",
    "state_bound",
    "to_text",
]
